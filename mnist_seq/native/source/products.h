// Matrix products, in tiles of rows and vectors that stay in registers.
//
// Each number is a sum in one fixed order, whatever the tile is: a row has the same bits at every
// place in its batch.
#pragma once
#include "vectors.h"

// Rows at a time with 4 vectors forward (F) and backward (B), and the tile of a weight gradient (W).
// As many as fit the registers: of the sizes tried on a Zen 4, these come nearest to its peak.
#if VL == 16
enum { ROWS_F = 6, ROWS_B = 6, ROWS_W = 4, COLS_W = 6 };
#elif VL == 8 && defined(__clang__)
enum { ROWS_F = 2, ROWS_B = 2, ROWS_W = 4, COLS_W = 2 };
#elif VL == 8
enum { ROWS_F = 3, ROWS_B = 3, ROWS_W = 6, COLS_W = 2 };
#elif defined(__aarch64__)
enum { ROWS_F = 6, ROWS_B = 6, ROWS_W = 4, COLS_W = 6 };  // 32 registers, as AVX-512; not measured
#else
enum { ROWS_F = 3, ROWS_B = 3, ROWS_W = 6, COLS_W = 2 };
#endif

template <int N> struct Int { enum { value = N }; };

// f(row, Int<rows>) over all rows
template <int MAX, class F> INL void by_rows(int begin, int end, F f) {
  for (int b = begin; b < end;) {
    int n = end - b;
    if (n >= MAX && n != MAX + 1) { f(b, Int<MAX>()); b += MAX; }
    else if (MAX >= 4 && n >= 4) { f(b, Int<4>()); b += 4; }
    else if (n >= 2) { f(b, Int<2>()); b += 2; }
    else { f(b, Int<1>()); b += 1; }
  }
}
// f(vector, Int<vectors>) over the vectors of a row
template <class F> INL void by_vectors(int num, F f) {
  int v = 0;
  for (; v + 4 <= num; v += 4) f(v, Int<4>());
  if (v + 2 <= num) { f(v, Int<2>()); v += 2; }
  if (v < num) f(v, Int<1>());
}

// s[r][FIRST + v] += sum over k of a[r][k] * w[k][v], for rows of a that are `lda` apart
template <int MR, int NS, int FIRST, int NV>
INL void rows_times(int num_k, const float* a, long lda, const float* w, vf (&s)[MR][NS]) {
  for (int k = 0; k < num_k; k++) {
    vf wk[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) {
      wk[v] = ld(w + ((long)k * NV + v) * VL);
      IN_REGISTER(wk[v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++) {
      vf x = all(a[r * lda + k]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) s[r][FIRST + v] = fma(x, wk[v], s[r][FIRST + v]);
    }
  }
}

// w[row(k)][begin ..] as rows_times reads it, in groups of 4, 2 and 1 vectors; zeros behind `num`
static void pack_columns(int num_k, int num, int padded, const float* w, long ldw, float* out) {
  by_vectors(padded / VL, [&](int v0, auto nv) {
    int begin = v0 * VL, width = nv.value * VL, there = num - begin < width ? num - begin : width;
    if (there < 0) there = 0;
    for (int k = 0; k < num_k; k++, out += width) {
      for (int j = 0; j < there; j++) out[j] = w[k * ldw + begin + j];
      for (int j = there; j < width; j++) out[j] = 0;
    }
  });
}
// The transpose of VL rows of w: out[k * stride + l] = w[l][k]; zeros where there are fewer rows
INL void pack_rows(int num_k, int there, const float* w, long ldw, float* out, long stride) {
  for (int k = 0; k < num_k; k++)
    for (int l = 0; l < VL; l++) out[k * stride + l] = l < there ? w[l * ldw + k] : 0;
}

// c[m][n] += sum over k of a[k][m] * b[k][n]: MR columns of a, NV vectors of b
template <int MR, int NV>
static void outer_tile(int num_k, const float* a, long lda, const float* b, long ldb, float* c, long ldc) {
  vf s[MR][NV];
#pragma GCC unroll 8
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) s[r][v] = (vf){};
  for (int k = 0; k < num_k; k++) {
    vf bk[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) {
      bk[v] = ld(b + k * ldb + v * VL);
      IN_REGISTER(bk[v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++) {
      vf x = all(a[k * lda + r]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) s[r][v] = fma(x, bk[v], s[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) st(c + r * ldc + v * VL, ld(c + r * ldc + v * VL) + s[r][v]);
}
template <int NV>
static void outer_rows(int num_k, int m0, int m1, const float* a, long lda, const float* b, long ldb,
                       float* c, long ldc) {
  by_rows<ROWS_W>(m0, m1, [&](int m, auto mr) {
    outer_tile<mr.value, NV>(num_k, a + m, lda, b, ldb, c + m * ldc, ldc);
  });
}
// Columns m0 to m1 of a, columns n0 to n1 of b (multiples of VL).
// PIECE rows at a time: the chain of float sums in a register is that long, and these rows of b
// stay in the first cache.
enum { PIECE = 64 };
static void outer_product(int num_k, int m0, int m1, const float* a, long lda, int n0, int n1,
                         const float* b, long ldb, float* c, long ldc) {
  for (int k = 0; k < num_k; k += PIECE) {
    int num = num_k - k < PIECE ? num_k - k : PIECE;
    const float *ak = a + k * lda, *bk = b + k * ldb;
    for (int n = n0; n < n1;) {
      int left = (n1 - n) / VL, done;
#define TILE(NV) outer_rows<NV>(num, m0, m1, ak, lda, bk + n, ldb, c + n, ldc), done = NV
      if (left >= COLS_W) TILE(COLS_W);
      else if (COLS_W > 5 && left == 5) TILE(5);
      else if (COLS_W > 4 && left == 4) TILE(4);
      else if (COLS_W > 3 && left == 3) TILE(3);
      else if (left >= 2) TILE(2);
      else TILE(1);
#undef TILE
      n += done * VL;
    }
  }
}
