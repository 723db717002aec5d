// Vectors of floats, and the functions that torch's cells take of them.
//
// VL numbers at a time: 16 with AVX-512, 8 with AVX2, 4 with NEON and on any other CPU. The vectors
// are extensions of GCC and clang. The compiler must not fuse products and sums by itself
// (-ffp-contract=off): `fma` below is the one place where they are fused, so that a number does not
// depend on the compiler, on its batch, nor on its place in the batch.
#pragma once
#include <stdint.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__) && defined(__FMA__)
#define VL 8
#else
#define VL 4
#endif
#define INL static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));

INL vf ld(const float* p) {
  vf v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
INL void st(float* p, vf v) { __builtin_memcpy(p, &v, sizeof v); }
INL vf all(float s) { return s - (vf){}; }

// A register for v: else gcc loads it again for each product, and a load is as slow as a product
#if VL == 16
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#else
#define IN_REGISTER(v)  // there are too few
#endif

// a * b + c: rounded once, where the CPU can
#if defined(__AVX512F__)
INL vf fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif VL == 8
INL vf fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#elif defined(__aarch64__)
INL vf fma(vf a, vf b, vf c) {
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
INL vf fma(vf a, vf b, vf c) { return a * b + c; }
#endif

// VL numbers as floats; gcc converts bytes one by one where it is not told how
INL vf floats(const float* p) { return ld(p); }
INL vf floats(const uint8_t* p) {
#if VL == 16
  return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p)));
#elif VL == 8
  return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
  return (vf){(float)p[0], (float)p[1], (float)p[2], (float)p[3]};
#endif
}

// x within bounds; NaN stays NaN.
INL vf clamp(vf x, float low, float high) {
  x = x > high ? all(high) : x;
  return x < low ? all(low) : x;
}

// x = n log(2) + r with |r| <= log(2) / 2: returns e^r - 1, and 2^n in `power`. The polynomial is
// the best one of its degree in relative error (Remez' algorithm): 5e-11 before it is rounded.
INL vf exp_parts(vf x, vf& power) {
  const float round = 12582912.f;  // 1.5 * 2^23: adding it rounds to a whole number
  vf n = fma(x, all(1.44269504f), all(round));
  power = (vf)(((vi)n << 23) + 0x3f800000);
  n -= round;
  vf r = fma(n, all(-0.693359375f), x);  // log(2) in two parts; n times the first one is exact
  r = fma(n, all(2.12194440e-4f), r);
  vf p = all(1.97902180533e-4f);
  p = fma(p, r, all(1.39447838431e-3f));
  p = fma(p, r, all(8.33349782889e-3f));
  p = fma(p, r, all(4.16662932992e-2f));
  p = fma(p, r, all(1.66666658635e-1f));
  p = fma(p, r, all(5.00000006813e-1f));
  return fma(p, r * r, r);
}
// Largest relative errors, over all x whose result is a normal number (2^24 of them tried, judged
// in float64): exp 8.9e-8, sigmoid 1.5e-7, tanh 1.7e-7; torch's: 6.4e-8, 1.5e-7, 6.0e-8. Where
// e^x is smaller than 1.6e-38 or larger than 1.6e38, x is taken as -87 or 88. NaN stays NaN.
INL vf exp_(vf x) {
  vf power, p = exp_parts(clamp(x, -87.f, 88.f), power);
  return fma(p, power, power);
}
INL vf sigmoid(vf x) { return 1.f / (1.f + exp_(-x)); }
// (e^2x - 1) / (e^2x + 1), by way of e^2x - 1, so that a small x keeps its digits
INL vf tanh_(vf x) {
  vf power, p = exp_parts(clamp(x + x, -20.f, 20.f), power);
  vf m = fma(p, power, power - 1.f);
  return m / (m + 2.f);
}

// Denormal numbers are zero until `restore`: a CPU computes slowly with them.
#if defined(__x86_64__) || defined(__i386__)
INL uint64_t flush_denormals() {
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
}
INL void restore(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined(__aarch64__)
INL uint64_t flush_denormals() {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" ::"r"(before | (1u << 24)));
  return before;
}
INL void restore(uint64_t before) { __asm__ volatile("msr fpcr, %0" ::"r"(before)); }
#else
INL uint64_t flush_denormals() { return 0; }
INL void restore(uint64_t) {}
#endif
