// Layers between torch's matrix products: gates and state of some time steps, forward, and backward
// from the last one; most are linear and diagonal in their state. See `models.kernels.compiled`.
//
// Tensors are contiguous, [T, B, ...]. `before` is the state [B, H] before the first time step.
// Backward, `dh` has `dh_row` floats from one time step to the next (0 where all are the same), or is
// null; `carry` [B, H] is the gradient of the last state, and becomes that of `before`. `rows` are
// the gates' inputs, which their gradients replace.
#include <math.h>
#include <string.h>
#include "vectors.h"

#define API extern "C" __attribute__((visibility("default")))
typedef int64_t Int;

// VL numbers in memory, or fewer at the end of a row
struct All {
  inline __attribute__((always_inline)) vf get(const float* p) const { return ld(p); }
  inline __attribute__((always_inline)) void put(float* p, vf v) const { st(p, v); }
};
struct Some {
  Int n;
  inline __attribute__((always_inline)) vf get(const float* p) const {
    vf v = {};
    memcpy(&v, p, n * sizeof(float));
    return v;
  }
  inline __attribute__((always_inline)) void put(float* p, vf v) const { memcpy(p, &v, n * sizeof(float)); }
};
template <class F> INL void each(Int n, F f) {
  Int j = 0;
  for (; j + VL <= n; j += VL) f(j, All{});
  if (j < n) f(j, Some{n - j});
}

struct Flush {  // no denormal numbers in a function
  uint64_t before = flush_denormals();
  ~Flush() { restore(before); }
};

// e^x, of which 1 / (1 + e^x + 1 + e^y) is no denormal number
INL vf odds(vf x) {
  vf power, p = exp_parts(clamp(x, -86.f, 86.f), power);
  return fma(p, power, power);
}
INL vf where(vi mask, vf a, vf b) { return mask ? a : b; }
INL vf root_of(vf x) {
  vf y;
  for (int k = 0; k < VL; k++) y[k] = sqrtf(x[k]);
  return y;
}
INL vf expm1_(vf x) {
  vf power, p = exp_parts(clamp(x, -87.f, 88.f), power);
  return fma(p, power, power - 1.f);
}
INL float sum_of(vf v) {
  for (int k = VL / 2; k; k /= 2)
    for (int i = 0; i < k; i++) v[i] += v[i + k];
  return v[0];
}

// ---- h = (1 - z) h' + z n: minGRU (z = sigmoid) and minLSTM (z = i / (f + i)) ----

struct Lerp { vf z, keep, n, slope, not_f, not_i; };  // keep: 1 - z; slope: of n
template <bool TWO, bool POSITIVE, bool BACK, class At> INL Lerp lerp_parts(const float* row, Int H, Int j, At at) {
  Lerp y;
  if (TWO) {
    vf f = odds(-at.get(row + j)), i = odds(-at.get(row + H + j)), p = 1.f + f, q = 1.f + i;
    vf share = 1.f / (p + q);
    y.z = p * share, y.keep = q * share;
    if (BACK) y.not_f = f / p, y.not_i = i / q;
  } else {
    vf e = odds(-at.get(row + j));
    y.z = 1.f / (1.f + e), y.keep = e * y.z;
  }
  vf v = at.get(row + (TWO ? 2 : 1) * H + j);
  y.n = v, y.slope = all(1.f);
  if (POSITIVE) {
    vf s = sigmoid(v);
    y.n = where(v >= 0.f, v + 0.5f, s), y.slope = where(v >= 0.f, y.slope, s - s * s);
  }
  return y;
}
template <bool TWO, bool POSITIVE> static void lerp_forward(Int T, Int B, Int H, const float* rows, const float* before, float* h) {
  Int K = TWO ? 3 : 2;
  for (Int r = 0; r < T * B; r++) {
    const float *row = rows + r * K * H, *old = r < B ? before + r * H : h + (r - B) * H;
    float* to = h + r * H;
    each(H, [=](Int j, auto at) {
      Lerp y = lerp_parts<TWO, POSITIVE, false>(row, H, j, at);
      at.put(to + j, fma(y.z, y.n, y.keep * at.get(old + j)));
    });
  }
}
template <bool TWO, bool POSITIVE>
static void lerp_backward(Int T, Int B, Int H, float* rows, const float* before, const float* h, const float* dh, Int dh_row, float* carry) {
  Int K = TWO ? 3 : 2;
  for (Int r = T * B - 1; r >= 0; r--) {
    Int t = r / B, b = r % B;
    const float *old = t ? h + (r - B) * H : before + b * H, *given = dh ? dh + t * dh_row + b * H : 0;
    float *row = rows + r * K * H, *later = carry + b * H;
    each(H, [=](Int j, auto at) {
      Lerp y = lerp_parts<TWO, POSITIVE, true>(row, H, j, at);
      vf g = at.get(later + j);
      if (given) g += at.get(given + j);
      at.put(later + j, g * y.keep);
      vf dz = g * (y.n - at.get(old + j)) * y.z * y.keep;
      if (TWO) {
        at.put(row + j, -dz * y.not_f);
        at.put(row + H + j, dz * y.not_i);
      } else {
        at.put(row + j, dz);
      }
      at.put(row + (K - 1) * H + j, g * y.z * y.slope);
    });
  }
}
#define BY_FORM(name, ...) \
  (is_two ? is_positive ? name<true, true>(__VA_ARGS__) : name<true, false>(__VA_ARGS__) \
          : is_positive ? name<false, true>(__VA_ARGS__) : name<false, false>(__VA_ARGS__))
API void native_lerp_forward(Int T, Int B, Int H, Int is_two, Int is_positive, const float* rows, const float* before, float* h) {
  Flush none;
  BY_FORM(lerp_forward, T, B, H, rows, before, h);
}
API void native_lerp_backward(Int T, Int B, Int H, Int is_two, Int is_positive, float* rows, const float* before, const float* h, const float* dh, Int dh_row, float* carry) {
  Flush none;
  BY_FORM(lerp_backward, T, B, H, rows, before, h, dh, dh_row, carry);
}

// ---- h = a h' + sqrt(1 - a^2) i x, a = exp(-rate r): RG-LRU ----

// `rows` [heads, T * B, gates * S] with S = H / heads, and `bias` [gates, H], of r, and of i if there is one;
// `begun` [B] or null: where it is 0, the root at the first time step is 1
struct Gated {
  Int T, B, H, heads, gates, is_normalised;
  const float *rows, *bias, *rate, *x, *begun;
};
const float SMALLEST = 1.f / 4e6f;
struct GatedParts { vf r, i, a, root; vi is_free; };  // is_free: the root depends on a
template <class At> INL GatedParts gated_parts(const Gated& s, const float* row, Int S, Int j, Int k, bool is_edge, At at) {
  GatedParts y;
  y.r = sigmoid(at.get(row + k) + at.get(s.bias + j));
  y.i = s.gates > 1 ? sigmoid(at.get(row + S + k) + at.get(s.bias + s.H + j)) : all(1.f);
  vf below = expm1_(-y.r * at.get(s.rate + j));  // a - 1, without rounding where a is near 1
  y.a = below + 1.f, y.root = all(1.f), y.is_free = (vi){};
  if (s.is_normalised && !is_edge) {
    vf left = -below * (below + 2.f);
    y.is_free = left > SMALLEST;
    y.root = root_of(where(left < SMALLEST, all(SMALLEST), left));
  }
  return y;
}
API void native_gated_forward(const Gated* given, const float* before, float* h) {
  Flush none;
  const Gated s = *given;
  Int S = s.H / s.heads, N = s.T * s.B;
  for (Int r = 0; r < N; r++) {
    const float *old = r < s.B ? before + r * s.H : h + (r - s.B) * s.H;
    bool is_edge = s.begun && r < s.B && s.begun[r] == 0;
    for (Int head = 0; head < s.heads; head++) {
      const float* row = s.rows + (head * N + r) * s.gates * S;
      each(S, [&](Int k, auto at) {
        Int j = head * S + k;
        GatedParts y = gated_parts(s, row, S, j, k, is_edge, at);
        at.put(h + r * s.H + j, fma(y.a, at.get(old + j), y.root * y.i * at.get(s.x + r * s.H + j)));
      });
    }
  }
}
// sums [2, H]: the first adds up minus the gradient of the rate, the second is scratch
API void native_gated_backward(const Gated* given, float* rows, const float* before, const float* h, const float* dh, Int dh_row, float* carry, float* dx, float* sums) {
  Flush none;
  const Gated s = *given;
  Int S = s.H / s.heads, N = s.T * s.B;
  float* part = sums + s.H;  // of one time step: a long chain of sums would lose digits
  for (Int t = s.T - 1; t >= 0; t--) {
    memset(part, 0, s.H * sizeof(float));
    for (Int b = 0; b < s.B; b++) {
      Int r = t * s.B + b;
      const float *old = t ? h + (r - s.B) * s.H : before + b * s.H, *of_h = dh ? dh + t * dh_row + b * s.H : 0;
      bool is_edge = s.begun && !t && s.begun[b] == 0;
      for (Int head = 0; head < s.heads; head++) {
        float* row = rows + (head * N + r) * s.gates * S;
        each(S, [&](Int k, auto at) {
          Int j = head * S + k;
          GatedParts y = gated_parts(s, row, S, j, k, is_edge, at);
          vf g = at.get(carry + b * s.H + j), x = at.get(s.x + r * s.H + j);
          if (of_h) g += at.get(of_h + j);
          vf of_old = y.a * g;
          at.put(carry + b * s.H + j, of_old);
          vf d = of_old * at.get(old + j);  // of log a
          d -= where(y.is_free, g * x * y.i * y.a * y.a / y.root, all(0.f));
          at.put(part + j, fma(d, y.r, at.get(part + j)));
          g = g * y.root;  // from here on of i * x
          at.put(row + k, -d * at.get(s.rate + j) * y.r * (1.f - y.r));
          if (s.gates > 1) at.put(row + S + k, g * x * y.i * (1.f - y.i));
          at.put(dx + r * s.H + j, g * y.i);
        });
      }
    }
    each(s.H, [&](Int j, auto at) { at.put(sums + j, at.get(sums + j) + at.get(part + j)); });
  }
}

// ---- h = a h' + u, complex: LRU. Rows are [B, 2 N]: real parts, then imaginary ones ----

API void native_linear_forward(Int T, Int B, Int N, const float* a, const float* before, float* h) {
  Flush none;
  for (Int r = 0; r < T * B; r++) {
    const float* old = r < B ? before + r * 2 * N : h + (r - B) * 2 * N;
    float* to = h + r * 2 * N;  // holds u
    each(N, [=](Int j, auto at) {
      vf a_re = at.get(a + j), a_im = at.get(a + N + j), re = at.get(old + j), im = at.get(old + N + j);
      at.put(to + j, fma(a_re, re, fma(-a_im, im, at.get(to + j))));
      at.put(to + N + j, fma(a_re, im, fma(a_im, re, at.get(to + N + j))));
    });
  }
}
// g holds what reaches h from above; sums [2, 2 N]: the first adds up the gradient of a
API void native_linear_backward(Int T, Int B, Int N, const float* a, const float* before, const float* h, float* g, float* carry, float* sums) {
  Flush none;
  float* part = sums + 2 * N;
  for (Int t = T - 1; t >= 0; t--) {
    memset(part, 0, 2 * N * sizeof(float));
    for (Int b = 0; b < B; b++) {
      Int r = t * B + b;
      const float* old = t ? h + (r - B) * 2 * N : before + b * 2 * N;
      float *to = g + r * 2 * N, *later = carry + b * 2 * N;
      each(N, [=](Int j, auto at) {
        vf a_re = at.get(a + j), a_im = at.get(a + N + j), re = at.get(old + j), im = at.get(old + N + j);
        vf g_re = at.get(to + j) + at.get(later + j), g_im = at.get(to + N + j) + at.get(later + N + j);
        at.put(to + j, g_re), at.put(to + N + j, g_im);
        at.put(later + j, fma(a_re, g_re, a_im * g_im));
        at.put(later + N + j, fma(a_re, g_im, -a_im * g_re));
        at.put(part + j, fma(g_re, re, fma(g_im, im, at.get(part + j))));
        at.put(part + N + j, fma(g_im, re, fma(-g_re, im, at.get(part + N + j))));
      });
    }
    each(2 * N, [&](Int j, auto at) { at.put(sums + j, at.get(sums + j) + at.get(part + j)); });
  }
}

// ---- h = f h' + (1 - f) silu(i), o = scale norm(h) silu(g): HGRN. Rows are i, f, g ----

struct Hgrn {
  Int T, B, H;
  double low, eps;
  const float *bias, *scale;
};
INL vf silu_slope(vf s, vf x) { return s * fma(x, 1.f - s, all(1.f)); }
INL float inverse_rms(const float* h, Int H, double eps) {
  vf sum = {};
  each(H, [&](Int j, auto at) {
    vf v = at.get(h + j);
    sum = fma(v, v, sum);
  });
  return 1.f / sqrtf(sum_of(sum) / (float)H + (float)eps);
}
API void native_hgrn_forward(const Hgrn* given, const float* rows, const float* before, float* h, float* o) {
  Flush none;
  const Hgrn s = *given;
  const float low = (float)s.low, rest = (float)(1 - s.low);
  for (Int r = 0; r < s.T * s.B; r++) {
    const float *row = rows + r * 3 * s.H, *old = r < s.B ? before + r * s.H : h + (r - s.B) * s.H;
    float* to = h + r * s.H;
    each(s.H, [&](Int j, auto at) {
      vf i = at.get(row + j), e = odds(-at.get(row + s.H + j) - at.get(s.bias + j)), open = 1.f / (1.f + e);
      vf f = low + rest * open, not_f = rest * open * e;
      at.put(to + j, fma(f, at.get(old + j), not_f * i * sigmoid(i)));
    });
    float inverse = inverse_rms(to, s.H, s.eps);
    each(s.H, [&](Int j, auto at) {
      vf g = at.get(row + 2 * s.H + j);
      at.put(o + r * s.H + j, at.get(to + j) * inverse * at.get(s.scale + j) * g * sigmoid(g));
    });
  }
}
// d_o becomes o; sums [2, H]: the first adds up the gradient of the scale
API void native_hgrn_backward(const Hgrn* given, float* rows, const float* before, const float* h, float* d_o, float* carry, float* sums) {
  Flush none;
  const Hgrn s = *given;
  const float low = (float)s.low, rest = (float)(1 - s.low);
  float* part = sums + s.H;
  for (Int t = s.T - 1; t >= 0; t--) {
    memset(part, 0, s.H * sizeof(float));
    for (Int b = 0; b < s.B; b++) {
      Int r = t * s.B + b;
      const float *old = t ? h + (r - s.B) * s.H : before + b * s.H, *now = h + r * s.H;
      float *row = rows + r * 3 * s.H, *of_g = row + 2 * s.H, *to = d_o + r * s.H, *later = carry + b * s.H;
      float inverse = inverse_rms(now, s.H, s.eps);
      vf dot = {};
      each(s.H, [&](Int j, auto at) {
        vf g = at.get(of_g + j), sig = sigmoid(g), d = at.get(to + j), normal = at.get(now + j) * inverse;
        vf scale = at.get(s.scale + j), gate = g * sig, of_normal = d * scale * gate;
        dot = fma(of_normal, normal, dot);
        at.put(part + j, fma(d * gate, normal, at.get(part + j)));
        at.put(of_g + j, d * scale * normal * silu_slope(sig, g));
        at.put(to + j, normal * scale * gate);
        at.put(later + j, fma(of_normal, all(inverse), at.get(later + j)));
      });
      float mean = sum_of(dot) / (float)s.H * inverse;
      each(s.H, [&](Int j, auto at) {
        vf d = at.get(later + j) - at.get(now + j) * inverse * mean;
        vf i = at.get(row + j), sig = sigmoid(i), e = odds(-at.get(row + s.H + j) - at.get(s.bias + j));
        vf open = 1.f / (1.f + e), f = low + rest * open, not_f = rest * open * e;
        at.put(later + j, d * f);
        at.put(row + j, d * not_f * silu_slope(sig, i));
        at.put(row + s.H + j, d * (at.get(old + j) - i * sig) * not_f * open);
      });
    }
    each(s.H, [&](Int j, auto at) { at.put(sums + j, at.get(sums + j) + at.get(part + j)); });
  }
}

// ---- One time step of the sLSTM; see `kernels.slstm_scan` for its parts. All [B, ...] ----

struct Slstm {
  Int B, H, is_exponential, is_normalised;
};
// log(1 / (1 + e^-x)); the logarithm of 1 to 2 by the series of the inverse of tanh, to 4e-9
INL vf log_sigmoid(vf x) {
  vf u = exp_(where(x < 0.f, x, -x)), s = u / (u + 2.f), q = s * s;
  vf p = all(1.f / 15.f);
  for (int k = 13; k > 0; k -= 2) p = fma(p, q, all(1.f / (float)k));
  return where(x < 0.f, x, all(0.f)) - 2.f * s * p;
}
// gates [B, 4 H] hold what enters i, f, z, o, of which z and o become tanh and sigmoid; shares [B, 2 H] are
// w and k; read [B, 2 H] are e and y, without the normaliser; m is the state before, and becomes that after
API void native_slstm_forward(const Slstm* given, float* gates, const float* c_old, const float* n_old, float* m, float* h, float* c, float* n, float* shares, float* read) {
  Flush none;
  const Slstm s = *given;
  const Int H = s.H;
  for (Int b = 0; b < s.B; b++) {
    float *row = gates + b * 4 * H, *share = shares + b * 2 * H, *of_h = read + b * 2 * H;
    each(H, [&](Int j, auto at) {
      Int k = b * H + j;
      vf i = at.get(row + j), old = at.get(m + k);
      vf log_f = log_sigmoid(at.get(row + H + j)) + old, log_i = s.is_exponential ? i : log_sigmoid(i);
      vf top = where(log_f >= log_i, log_f, log_i);
      top = where(log_f == log_f, top, log_f);
      vf write = exp_(log_i - top), keep = exp_(log_f - top);
      vf z = tanh_(at.get(row + 2 * H + j)), o = sigmoid(at.get(row + 3 * H + j));
      vf c_new = fma(keep, at.get(c_old + k), write * z), n_new = fma(keep, at.get(n_old + k), write);
      at.put(m + k, top), at.put(c + k, c_new), at.put(n + k, n_new);
      at.put(share + j, write), at.put(share + H + j, keep);
      at.put(row + 2 * H + j, z), at.put(row + 3 * H + j, o);
      if (s.is_normalised) {
        at.put(h + k, o * c_new / n_new);
      } else {
        vf e = exp_(where(top > 80.f, all(80.f), top)), y = tanh_(c_new * e);
        at.put(of_h + j, e), at.put(of_h + H + j, y), at.put(h + k, o * y);
      }
    });
  }
}
// dh (with `given_dh` from above, or null), dc and dn reach the states after; dc and dn become those before
API void native_slstm_backward(const Slstm* given, const float* gates, const float* c_old, const float* n_old, const float* h, const float* n, const float* shares, const float* read, const float* given_dh, const float* dh, float* dc, float* dn, float* d) {
  Flush none;
  const Slstm s = *given;
  const Int H = s.H;
  for (Int b = 0; b < s.B; b++) {
    const float *row = gates + b * 4 * H, *share = shares + b * 2 * H, *of_h = read + b * 2 * H;
    float* to = d + b * 4 * H;
    each(H, [&](Int j, auto at) {
      Int k = b * H + j;
      vf g = at.get(dh + k), out = at.get(h + k);
      if (given_dh) g += at.get(given_dh + k);
      vf z = at.get(row + 2 * H + j), o = at.get(row + 3 * H + j), g_c = at.get(dc + k), g_n = at.get(dn + k);
      if (s.is_normalised) {
        vf by = g / at.get(n + k);
        g_c += by * o, g_n -= by * out;
      } else {
        vf y = at.get(of_h + H + j);
        g_c += g * o * (1.f - y * y) * at.get(of_h + j);
      }
      vf write = at.get(share + j), keep = at.get(share + H + j), enters = write;
      if (!s.is_exponential) enters = sigmoid(-at.get(row + j)) * write;
      vf leaks = sigmoid(-at.get(row + H + j)) * keep;
      at.put(to + j, enters * fma(z, g_c, g_n));
      at.put(to + H + j, leaks * fma(at.get(c_old + k), g_c, at.get(n_old + k) * g_n));
      at.put(to + 2 * H + j, g_c * write * (1.f - z * z));
      at.put(to + 3 * H + j, g * out * (1.f - o));
      at.put(dc + k, g_c * keep), at.put(dn + k, g_n * keep);
    });
  }
}
