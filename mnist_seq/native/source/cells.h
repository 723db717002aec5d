// The three kinds of cells: how their weights are packed, one time step forward and one backward.
//
// A row of `hx` is what a time step reads: h before it (H, padded to Hp), 1 (for the bias), x (D);
// P floats. The pads are zero. `saved` and `dg` have rows of SAVED * Hp and GATES * Hp floats.
// dg holds the gradients of the gates' inputs; those of RECUR gates from the first on meet W_hh,
// those of INPUT gates up to the last meet W_ih.
#pragma once
#include "products.h"

struct Sizes {
  int D, H, Hp, P;
  bool is_relu;
  long lda;  // between rows of dg; no power of two, whose multiples would share a cache set
};
INL int padded(int n) { return (n + VL - 1) / VL * VL; }
INL int there(int H, int u) { return H - u * VL < VL ? H - u * VL : VL; }

struct Weights { const float *w_ih, *w_hh, *b_ih, *b_hh; };

// Rows of torch's gates in the order of dg, from W [gates * H, cols]: as rows_times reads them
INL float* pack_gates(int H, int cols, int padded_cols, const int* gates, int num, const float* w, float* out) {
  by_vectors(padded_cols / VL, [&](int v0, auto nv) {
    int begin = v0 * VL, width = nv.value * VL;
    int n = cols - begin < width ? cols - begin : width;
    for (int g = 0; g < num; g++)
      for (int k = 0; k < H; k++, out += width) {
        const float* row = w + ((long)gates[g] * H + k) * cols + begin;
        for (int j = 0; j < n; j++) out[j] = row[j];
        for (int j = n < 0 ? 0 : n; j < width; j++) out[j] = 0;
      }
  });
  return out;
}
// The tile dg [MR rows] times packed gates
template <int MR, int NV>
INL void gates_times(const Sizes& d, int num, const float* dg, const float* w, vf (&s)[MR][NV]) {
  if (d.H == d.Hp) { rows_times<MR, NV, 0, NV>(num * d.H, dg, d.lda, w, s); return; }
  for (int g = 0; g < num; g++)
    rows_times<MR, NV, 0, NV>(d.H, dg + (long)g * d.Hp, d.lda, w + (long)g * d.H * NV * VL, s);
}

// What a tile of one time step reads and writes; pointers at its first row
struct Forward {
  bool is_first;                       // time step: h and c before it are zero
  const float *hx, *w, *saved_before;
  float *h, *saved;                    // h: in the next row of hx
};
struct Backward {
  bool is_first, is_last;              // time step
  const float *dg_after, *w;           // dg_after: of the time step after
  const float *saved, *saved_before, *hx, *h;
  const float* d_out; long d_out_row;  // from above; null for none
  float *dg, *carry;                   // carry [B, Hp]: goes to the time step before
};

struct Lstm {
  enum { GATES = 4, SAVED = 6, RECUR = 4, INPUT = 4 };  // i f g o; c, tanh c
  static long packed(const Sizes& d) { return (long)d.Hp * 4 * (d.H + 1 + d.D); }
  static const int* gates() { static const int g[] = {0, 1, 2, 3}; return g; }
  static void pack(const Sizes& d, Weights w, float* out) {
    long K = d.H + 1 + d.D;
    for (int u = 0; u < d.Hp / VL; u++)
      for (int g = 0; g < 4; g++) {
        float* o = out + u * K * 4 * VL + g * VL;
        long row = (long)g * d.H + u * VL;
        int n = there(d.H, u);
        pack_rows(d.H, n, w.w_hh + row * d.H, d.H, o, 4 * VL);
        o += (long)d.H * 4 * VL;
        for (int l = 0; l < VL; l++) o[l] = l < n ? w.b_ih[row + l] + w.b_hh[row + l] : 0;
        pack_rows(d.D, n, w.w_ih + row * d.D, d.D, o + 4 * VL, 4 * VL);
      }
  }
  // one vector of units
  template <int MR> static void forward(const Sizes& d, Forward f, int u) {
    vf s[MR][4];
    for (int r = 0; r < MR; r++) for (int g = 0; g < 4; g++) s[r][g] = (vf){};
    const float* w = f.w + (long)u * (d.H + 1 + d.D) * 4 * VL;
    if (!f.is_first) rows_times<MR, 4, 0, 4>(d.H, f.hx, d.P, w, s);
    rows_times<MR, 4, 0, 4>(1 + d.D, f.hx + d.Hp, d.P, w + (long)d.H * 4 * VL, s);
    int H = d.Hp;
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++) {
      long at = (long)r * 6 * H + u * VL;
      vf i = sigmoid(s[r][0]), fg = sigmoid(s[r][1]), g = tanh_(s[r][2]), o = sigmoid(s[r][3]);
      vf c = i * g;
      if (!f.is_first) c = fma(fg, ld(f.saved_before + at + 4 * H), c);
      vf tc = tanh_(c);
      float* to = f.saved + at;
      st(to, i); st(to + H, fg); st(to + 2 * H, g); st(to + 3 * H, o); st(to + 4 * H, c); st(to + 5 * H, tc);
      st(f.h + (long)r * d.P + u * VL, o * tc);
    }
  }
  INL void local(const Sizes& d, const Backward& b, int r, int j, vf dh) {
    int H = d.Hp;
    const float* s = b.saved + (long)r * 6 * H + j;
    float *dg = b.dg + r * d.lda + j, *dc = b.carry + (long)r * H + j;
    vf i = ld(s), f = ld(s + H), g = ld(s + 2 * H), o = ld(s + 3 * H), tc = ld(s + 5 * H);
    vf e = fma(dh * o, fma(-tc, tc, all(1.f)), ld(dc));
    vf c = !b.is_first ? ld(b.saved_before + (long)r * 6 * H + 4 * H + j) : (vf){};
    st(dg, e * g * (i * (1.f - i)));
    st(dg + H, e * c * (f * (1.f - f)));
    st(dg + 2 * H, e * i * fma(-g, g, all(1.f)));
    st(dg + 3 * H, dh * tc * (o * (1.f - o)));
    st(dc, e * f);
  }
};

struct Gru {
  enum { GATES = 4, SAVED = 4, RECUR = 3, INPUT = 3 };  // dg: nh r z nx; saved: nh r z n
  static long packed(const Sizes& d) { return (long)d.Hp * (3 * d.H + 1 + 3 * (1 + d.D)); }
  static const int* gates() { static const int g[] = {2, 0, 1, 2}; return g; }  // torch's: r z n
  static void pack(const Sizes& d, Weights w, float* out) {
    for (int u = 0; u < d.Hp / VL; u++) {
      int n = there(d.H, u);
      for (int g = 0; g < 3; g++) pack_rows(d.H, n, w.w_hh + ((long)gates()[g] * d.H + u * VL) * d.H, d.H, out + g * VL, 3 * VL);
      out += (long)d.H * 3 * VL;
      for (int l = 0; l < VL; l++) out[l] = l < n ? w.b_hh[2 * d.H + u * VL + l] : 0;
      out += VL;
      for (int g = 0; g < 3; g++) {
        long row = (long)gates()[1 + g] * d.H + u * VL;
        for (int l = 0; l < VL; l++) out[g * VL + l] = l < n ? w.b_ih[row + l] + (g < 2 ? w.b_hh[row + l] : 0) : 0;
        pack_rows(d.D, n, w.w_ih + row * d.D, d.D, out + 3 * VL + g * VL, 3 * VL);
      }
      out += (long)(1 + d.D) * 3 * VL;
    }
  }
  template <int MR> static void forward(const Sizes& d, Forward f, int u) {
    vf s[MR][4];  // nh r z nx
    const float* w = f.w + (long)u * VL * (3 * d.H + 1 + 3 * (1 + d.D));
    const float* b_nh = w + (long)d.H * 3 * VL;
    for (int r = 0; r < MR; r++) for (int g = 0; g < 4; g++) s[r][g] = g ? (vf){} : ld(b_nh);
    if (!f.is_first) rows_times<MR, 4, 0, 3>(d.H, f.hx, d.P, w, s);
    rows_times<MR, 4, 1, 3>(1 + d.D, f.hx + d.Hp, d.P, b_nh + VL, s);
    int H = d.Hp;
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++) {
      vf rr = sigmoid(s[r][1]), z = sigmoid(s[r][2]), n = tanh_(fma(rr, s[r][0], s[r][3]));
      float* to = f.saved + (long)r * 4 * H + u * VL;
      st(to, s[r][0]); st(to + H, rr); st(to + 2 * H, z); st(to + 3 * H, n);
      vf h = !f.is_first ? ld(f.hx + (long)r * d.P + u * VL) : (vf){};
      st(f.h + (long)r * d.P + u * VL, fma(z, h - n, n));
    }
  }
  INL void local(const Sizes& d, const Backward& b, int r, int j, vf dh) {
    int H = d.Hp;
    const float* s = b.saved + (long)r * 4 * H + j;
    float *dg = b.dg + r * d.lda + j, *dhz = b.carry + (long)r * H + j;
    vf nh = ld(s), rr = ld(s + H), z = ld(s + 2 * H), n = ld(s + 3 * H), h = ld(b.hx + (long)r * d.P + j);
    dh += ld(dhz);
    vf dn = dh * (1.f - z) * fma(-n, n, all(1.f)), dnh = dn * rr;
    st(dg, dnh);
    st(dg + H, dnh * nh * (1.f - rr));
    st(dg + 2 * H, dh * (h - n) * (z * (1.f - z)));
    st(dg + 3 * H, dn);
    st(dhz, dh * z);
  }
};

struct Rnn {
  enum { GATES = 1, SAVED = 0, RECUR = 1, INPUT = 1 };
  static long packed(const Sizes& d) { return (long)d.Hp * (d.H + 1 + d.D); }
  static const int* gates() { static const int g[] = {0}; return g; }
  static void pack(const Sizes& d, Weights w, float* out) {
    by_vectors(d.Hp / VL, [&](int u0, auto nv) {
      const int N = nv.value;
      for (int g = 0; g < N; g++) {
        int u = u0 + g, n = there(d.H, u);
        float* o = out + g * VL;
        pack_rows(d.H, n, w.w_hh + (long)u * VL * d.H, d.H, o, N * VL);
        o += (long)d.H * N * VL;
        for (int l = 0; l < VL; l++) o[l] = l < n ? w.b_ih[u * VL + l] + w.b_hh[u * VL + l] : 0;
        pack_rows(d.D, n, w.w_ih + (long)u * VL * d.D, d.D, o + N * VL, N * VL);
      }
      out += (long)(d.H + 1 + d.D) * N * VL;
    });
  }
  // NV vectors of units
  template <int MR, int NV> static void forward(const Sizes& d, Forward f, int u) {
    vf s[MR][NV];
    for (int r = 0; r < MR; r++) for (int v = 0; v < NV; v++) s[r][v] = (vf){};
    const float* w = f.w + (long)u * VL * (d.H + 1 + d.D);
    if (!f.is_first) rows_times<MR, NV, 0, NV>(d.H, f.hx, d.P, w, s);
    rows_times<MR, NV, 0, NV>(1 + d.D, f.hx + d.Hp, d.P, w + (long)d.H * NV * VL, s);
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) {
        if (d.is_relu) s[r][v] = s[r][v] < 0.f ? (vf){} : s[r][v];
        else s[r][v] = tanh_(s[r][v]);
        st(f.h + (long)r * d.P + (u + v) * VL, s[r][v]);
      }
  }
  INL void local(const Sizes& d, const Backward& b, int r, int j, vf dh) {
    vf h = ld(b.h + (long)r * d.P + j);
    st(b.dg + r * d.lda + j, d.is_relu ? (vf)(h <= 0.f ? (vf){} : dh) : dh * fma(-h, h, all(1.f)));
  }
};

// A time step for rows b0 to b1; pointers at row 0 of the batch
template <class Cell> INL void forward_rows(const Sizes& d, int b0, int b1, Forward f) {
  if constexpr (Cell::GATES == 1)
    by_vectors(d.Hp / VL, [&](int u, auto nv) {
      by_rows<ROWS_F>(b0, b1, [&](int b, auto mr) {
        long P = (long)b * d.P;
        Cell::template forward<mr.value, nv.value>(d, {f.is_first, f.hx + P, f.w, nullptr, f.h + P, nullptr}, u);
      });
    });
  else
    for (int u = 0; u < d.Hp / VL; u++)
      by_rows<ROWS_F>(b0, b1, [&](int b, auto mr) {
        long P = (long)b * d.P, S = (long)b * Cell::SAVED * d.Hp;
        Cell::template forward<mr.value>(d, {f.is_first, f.hx + P, f.w, f.saved_before + S, f.h + P, f.saved + S}, u);
      });
}

template <class Cell, int MR, int NV> static void backward_tile(const Sizes& d, Backward b, int j0) {
  vf s[MR][NV];
  for (int r = 0; r < MR; r++) for (int v = 0; v < NV; v++) s[r][v] = (vf){};
  if (!b.is_last) gates_times<MR, NV>(d, Cell::RECUR, b.dg_after, b.w, s);
#pragma GCC unroll 8
  for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      int j = j0 + v * VL;
      vf dh = s[r][v];
      if (b.d_out) dh += ld(b.d_out + r * b.d_out_row + j);
      Cell::local(d, b, r, j, dh);
    }
}
template <class Cell> INL void backward_rows(const Sizes& d, int b0, int b1, Backward whole) {
  by_rows<ROWS_B>(b0, b1, [&](int r, auto mr) {
    Backward b = whole;
    long P = (long)r * d.P, S = (long)r * Cell::SAVED * d.Hp;
    b.dg_after += r * d.lda, b.dg += r * d.lda, b.carry += (long)r * d.Hp;
    b.saved += S, b.saved_before += S, b.hx += P, b.h += P;
    if (b.d_out) b.d_out += r * b.d_out_row;
    by_vectors(d.Hp / VL, [&](int v, auto nv) {
      Backward tile = b;
      tile.w += (long)v * VL * Cell::RECUR * d.H;
      backward_tile<Cell, mr.value, nv.value>(d, tile, v * VL);
    });
  });
}
