// The C interface, and a whole step behind it: gather, forward, loss, backward, clip, update.
#include "net.h"

typedef struct { const float* const* masks; const float* out; } Noises;  // masks [T][B][H] between layers

#define BY_CELL(call)                                       \
  switch (n.cell) {                                         \
    case LSTM: { typedef Lstm Cell; call; break; }          \
    case GRU: { typedef Gru Cell; call; break; }            \
    default: { typedef Rnn Cell; call; }                    \
  }

template <class Cell> static void init_layer(Net& n, int l) {
  Layer& y = n.layer[l];
  int D = l ? n.H : n.D, Hp = n.Hp;
  y.d = {D, n.H, Hp, padded(Hp + 1 + D), n.cell == RNN_RELU, (long)Cell::GATES * Hp + VL};
  n.gates = Cell::GATES;
  y.w = {n.weights[4 * l], n.weights[4 * l + 1], n.weights[4 * l + 2], n.weights[4 * l + 3]};
}
template <class Cell> static bool fit_weights(Net& n, Layer& y, bool has_below) {
  long M = (long)Cell::GATES * n.Hp * y.d.P;
  if (!y.total && !(y.total = (double*)malloc(M * sizeof(double)))) return false;
  return y.packed.fit(Cell::packed(y.d)) && y.back.fit((long)Cell::RECUR * n.H * n.Hp) && y.sums.fit(M) &&
         (!has_below || y.in.fit((long)Cell::INPUT * n.H * n.Hp));
}
// Memory for a batch; `kept` time steps of hx and saved: T + 1 to train, 2 to answer
template <class Cell> static bool fit_batch(Net& n, Layer& y, long kept, bool trains, bool has_below) {
  long rows = kept * n.B, before = y.hx.size;
  if (!y.hx.fit(rows * y.d.P)) return false;
  if ((long)y.hx.size != before)
    for (long r = 0; r < (long)y.hx.size / y.d.P; r++) y.hx.at[r * y.d.P + y.d.Hp] = 1;
  if (!y.saved.fit(rows * Cell::SAVED * n.Hp + 1)) return false;
  if (!trains) return true;
  return y.dg.fit(chunk(n) * n.B * y.d.lda) && y.carry.fit(n.B * n.Hp) &&
         (!has_below || y.d_x.fit(n.T * n.B * n.Hp));
}
static bool fit(Net& n, long B, long T, bool trains) {
  n.B = B, n.T = T;
  long F = n.Hp + VL;
  bool ok = n.features.fit(B * F) && n.d_features.fit(B * n.Hp) && n.logits.fit(B * n.Cp) &&
            n.head_w.fit((long)n.H * n.Cp) && n.head_back.fit((long)n.C * n.Hp) && n.head_sums.fit((long)padded(n.C) * F);
  for (int l = 0; l < n.layers && ok; l++) {
    BY_CELL(ok = fit_weights<Cell>(n, n.layer[l], l > 0) && fit_batch<Cell>(n, n.layer[l], trains ? T + 1 : 2, trains, l > 0))
  }
  return ok;
}

static void pack(Net& n, bool trains) {
  for (int l = 0; l < n.layers; l++) {
    Layer& y = n.layer[l];
    BY_CELL({
      Cell::pack(y.d, y.w, y.packed.at);
      if (trains) pack_gates(n.H, n.H, n.Hp, Cell::gates(), Cell::RECUR, y.w.w_hh, y.back.at);
      if (trains && l) pack_gates(n.H, n.H, n.Hp, Cell::gates() + Cell::GATES - Cell::INPUT, Cell::INPUT, y.w.w_ih, y.in.at);
    })
  }
  const float* w = n.weights[4 * n.layers];
  for (int v = 0; v < n.Cp / VL; v++)  // head_w: [vector][H][VL]
    pack_rows(n.H, there(n.C, v), w + (long)v * VL * n.H, n.H, n.head_w.at + (long)v * n.H * VL, VL);
  if (trains) pack_columns(n.C, n.H, n.Hp, w, n.H, n.head_back.at);
}

template <class Number> INL void read(const Source& s, const Number* from, int D, float* to) {
  float scale = (float)s.scale, shift = (float)s.shift;
  if (s.by_d != 1 || D < VL) {
    for (int k = 0; k < D; k++) to[k] = shift + scale * (float)from[k * s.by_d];
    return;
  }
  for (int k = 0;; k = k + 2 * VL <= D ? k + VL : D - VL) {  // the last vector may meet the one before
    st(to + k, shift + scale * floats(from + k));
    if (k + VL == D) return;
  }
}
static void read_row(const Source& s, int64_t row, long t, int D, float* to) {
  int64_t at = row * s.by_n + t * s.by_t;
  if (s.is_bytes) read(s, (const uint8_t*)s.data + at, D, to);
  else read(s, (const float*)s.data + at, D, to);
}
INL int64_t row_of(const Source& s, const int64_t* order, long b) {
  int64_t row = order ? order[b] : b;
  return s.rows ? s.rows[row] : row;
}
static bool has_rows(const Source& s, const int64_t* order, long B) {
  int64_t num = s.rows ? s.num_rows : s.num;
  for (long b = 0; b < B; b++) {
    if (order ? order[b] < 0 || order[b] >= num : b >= num) return false;
    int64_t row = row_of(s, order, b);
    if (row < 0 || row >= s.num) return false;
  }
  return true;
}

// One time step of a layer, for some rows of the batch
static void forward_step(Net& n, int l, long t, int b0, int b1, long slot, long next, long saved, long saved_before) {
  Layer& y = n.layer[l];
  long P = n.B * y.d.P;
  BY_CELL({
    long S = n.B * Cell::SAVED * n.Hp;
    forward_rows<Cell>(y.d, b0, b1, {t == 0, y.hx.at + slot * P, y.packed.at, y.saved.at + saved_before * S,
                                     y.hx.at + next * P, y.saved.at + saved * S});
  })
}
// h of a layer after a time step becomes x of the next layer
static void hand_up(Net& n, int l, int b0, int b1, long next, long slot, const float* mask) {
  Layer &y = n.layer[l], &up = n.layer[l + 1];
  for (long b = b0; b < b1; b++) {
    const float* h = y.hx.at + (next * n.B + b) * y.d.P;
    float* x = up.hx.at + (slot * n.B + b) * up.d.P + n.Hp + 1;
    if (mask) for (int j = 0; j < n.H; j++) x[j] = h[j] * mask[b * n.H + j];
    else memcpy(x, h, n.H * sizeof(float));
  }
}
static void add_features(Net& n, int b0, int b1, long t, long next) {
  Layer& top = n.layer[n.layers - 1];
  if (n.readout == LAST && t != n.T - 1) return;
  float inverse = 1.f / (float)n.T;
  for (long b = b0; b < b1; b++) {
    const float* h = top.hx.at + (next * n.B + b) * top.d.P;
    float* f = n.features.at + b * (n.Hp + VL);
    for (int j = 0; j < n.Hp; j++) {
      float sum = n.readout == MEAN && t ? f[j] + h[j] : h[j];
      f[j] = n.readout == MEAN && t == n.T - 1 ? sum * inverse : sum;
    }
  }
}
static void head(Net& n, int b0, int b1) {
  const float* bias = n.weights[4 * n.layers + 1];
  long F = n.Hp + VL;
  for (int v = 0; v < n.Cp / VL; v++) {
    float start[VL] = {0};
    for (int l = 0; l < there(n.C, v); l++) start[l] = bias[v * VL + l];
    by_rows<ROWS_B>(b0, b1, [&](int b, auto mr) {
      const int R = mr.value;
      vf s[R][1];
      for (int r = 0; r < R; r++) s[r][0] = ld(start);
      rows_times<R, 1, 0, 1>(n.H, n.features.at + b * F, F, n.head_w.at + (long)v * n.H * VL, s);
      for (int r = 0; r < R; r++) st(n.logits.at + (long)(b + r) * n.Cp + v * VL, s[r][0]);
    });
  }
}
static void zero_first(Net& n, Layer& y, int b0, int b1) {
  for (long b = b0; b < b1; b++) memset(y.hx.at + b * y.d.P, 0, n.Hp * sizeof(float));
}
static void forward(Net& n, const Source& s, const int64_t* order, Noises z, int b0, int b1) {
  for (int l = 0; l < n.layers; l++) {
    Layer& y = n.layer[l];
    zero_first(n, y, b0, b1);
    for (long t = 0; t < n.T; t++) {
      if (l == 0)
        for (long b = b0; b < b1; b++)
          read_row(s, row_of(s, order, b), t, n.D, y.hx.at + (t * n.B + b) * y.d.P + n.Hp + 1);
      forward_step(n, l, t, b0, b1, t, t + 1, t, t - 1);
      if (l + 1 < n.layers) hand_up(n, l, b0, b1, t + 1, t, z.masks ? z.masks[l] + t * n.B * n.H : nullptr);
      else add_features(n, b0, b1, t, t + 1);
    }
  }
  if (z.out)
    for (long b = b0; b < b1; b++)
      for (int j = 0; j < n.H; j++) n.features.at[b * (n.Hp + VL) + j] *= z.out[b * n.H + j];
  head(n, b0, b1);
}

// Cross-entropy; the logits become their gradients
static double loss_of_row(float* z, int C, int Cp, int64_t y, float inverse) {
  float top = z[0];
  bool is_nan = false;
  for (int c = 0; c < C; c++) top = z[c] > top ? z[c] : top, is_nan |= z[c] != z[c];
  if (is_nan) top = NAN;
  float own = z[y];
  for (int v = 0; v < Cp; v += VL) st(z + v, exp_(ld(z + v) - top));
  double sum = 0;
  for (int c = 0; c < C; c++) sum += z[c];
  float scale = (float)(1 / sum);
  for (int c = 0; c < C; c++) z[c] = (z[c] * scale - (c == y ? 1.f : 0.f)) * inverse;
  for (int c = C; c < Cp; c++) z[c] = 0;
  return log(sum) + ((double)top - own);
}
static void backward_head(Net& n, const int64_t* targets, const float* mask) {
  long F = n.Hp + VL;
  n.loss = 0;
  for (long b = 0; b < n.B; b++) {
    n.loss += loss_of_row(n.logits.at + b * n.Cp, n.C, n.Cp, targets[b], 1.f / (float)n.B);
    n.features.at[b * F + n.Hp] = 1;
  }
  n.head_sums.zero(n.head_sums.size);
  outer_product((int)n.B, 0, padded(n.C), n.logits.at, n.Cp, 0, (int)F, n.features.at, F, n.head_sums.at, F);
  float *gw = n.grads[4 * n.layers], *gb = n.grads[4 * n.layers + 1];
  for (int c = 0; c < n.C; c++) {
    memcpy(gw + (long)c * n.H, n.head_sums.at + c * F, n.H * sizeof(float));
    gb[c] = n.head_sums.at[c * F + n.Hp];
  }
  by_rows<ROWS_B>(0, (int)n.B, [&](int b, auto mr) {
    by_vectors(n.Hp / VL, [&](int v0, auto nv) {
      const int R = mr.value, N = nv.value;
      vf s[R][N];
      for (int r = 0; r < R; r++) for (int v = 0; v < N; v++) s[r][v] = (vf){};
      rows_times<R, N, 0, N>(n.C, n.logits.at + (long)b * n.Cp, n.Cp, n.head_back.at + (long)v0 * VL * n.C, s);
      for (int r = 0; r < R; r++)
        for (int v = 0; v < N; v++) st(n.d_features.at + (long)(b + r) * n.Hp + (v0 + v) * VL, s[r][v]);
    });
  });
  float mean = n.readout == MEAN ? 1.f / (float)n.T : 1.f;
  for (long b = 0; b < n.B; b++)
    for (int j = 0; j < n.H; j++) {
      float& d = n.d_features.at[b * n.Hp + j];
      d *= mask ? mask[b * n.H + j] * mean : mean;
    }
}

// What `sums` holds goes to `total` after that many additions
enum { MOST_SUMS = 32 };
// The gradients of some time steps meet what these steps have read; rows m0 to m1 of the gradient
template <class Cell> static void add_sums(Net& n, Layer& y, long t, long steps, int m0, int m1) {
  int K = (int)(steps * n.B), Hp = n.Hp, P = y.d.P;
  const float *dg = y.dg.at, *hx = y.hx.at + t * n.B * P;
  auto part = [&](int s0, int s1, int n0, int n1) {
    int lo = s0 > m0 ? s0 : m0, hi = s1 < m1 ? s1 : m1;
    if (lo < hi) outer_product(K, lo, hi, dg, y.d.lda, n0, n1, hx, P, y.sums.at, P);
  };
  if (Cell::GATES == Cell::RECUR) part(0, Cell::GATES * Hp, 0, P);
  else {  // nh does not meet x, nx does not meet h
    part(0, Hp, 0, Hp + VL);
    part(Hp, 3 * Hp, 0, P);
    part(3 * Hp, 4 * Hp, Hp, P);
  }
  if (y.num_sums < MOST_SUMS) return;
  for (long i = (long)m0 * P; i < (long)m1 * P; i++) y.total[i] += y.sums.at[i], y.sums.at[i] = 0;
}
// d_x of one time step, for rows b0 to b1
template <class Cell> static void input_gradients(Net& n, Layer& y, long t, int b0, int b1, const float* dg, const float* mask) {
  by_rows<ROWS_B>(b0, b1, [&](int b, auto mr) {
    by_vectors(n.Hp / VL, [&](int v0, auto nv) {
      const int R = mr.value, N = nv.value;
      vf s[R][N];
      for (int r = 0; r < R; r++) for (int v = 0; v < N; v++) s[r][v] = (vf){};
      gates_times<R, N>(y.d, Cell::INPUT, dg + b * y.d.lda + (Cell::GATES - Cell::INPUT) * n.Hp,
                        y.in.at + (long)v0 * VL * Cell::INPUT * n.H, s);
      for (int r = 0; r < R; r++)
        for (int v = 0; v < N; v++) st(y.d_x.at + (t * n.B + b + r) * n.Hp + (v0 + v) * VL, s[r][v]);
    });
  });
  if (!mask) return;
  for (long b = t * n.B + b0; b < t * n.B + b1; b++)
    for (int j = 0; j < n.H; j++) y.d_x.at[b * n.Hp + j] *= mask[b * n.H + j];
}
// The time steps from `last` down to `first`, for rows b0 to b1
template <class Cell> static void backward_steps(Net& n, int l, long last, long first, int b0, int b1, const float* mask_below) {
  Layer& y = n.layer[l];
  long TC = chunk(n), P = n.B * y.d.P, S = n.B * Cell::SAVED * n.Hp, G = n.B * y.d.lda;
  bool is_top = l == n.layers - 1;
  for (long t = last; t >= first; t--) {
    const float* d_out = !is_top ? n.layer[l + 1].d_x.at + t * n.B * n.Hp
                         : n.readout == MEAN || t == n.T - 1 ? n.d_features.at : nullptr;
    float* dg = y.dg.at + t % TC * G;
    backward_rows<Cell>(y.d, b0, b1,
                        {t == 0, t == n.T - 1, y.dg.at + (t + 1) % TC * G, y.back.at, y.saved.at + t * S,
                         y.saved.at + (t - 1) * S, y.hx.at + t * P, y.hx.at + (t + 1) * P, d_out, n.Hp, dg, y.carry.at});
    if (l) input_gradients<Cell>(n, y, t, b0, b1, dg, mask_below);
  }
}
template <class Cell> static void backward_layer(Net& n, int l, const float* mask_below) {
  Layer& y = n.layer[l];
  long TC = chunk(n), size = (long)Cell::GATES * n.Hp * y.d.P;
  y.sums.zero(size), y.num_sums = 0;
  memset(y.total, 0, size * sizeof(double));
  y.carry.zero(n.B * n.Hp);
  for (long first = (n.T - 1) / TC * TC; first >= 0; first -= TC) {
    long steps = n.T - first < TC ? n.T - first : TC;
    n.pool.each_part(n.B, [&](int b0, int b1) { backward_steps<Cell>(n, l, first + steps - 1, first, b0, b1, mask_below); });
    y.num_sums += (int)((steps * n.B + PIECE - 1) / PIECE);
    n.pool.each_part(Cell::GATES * n.Hp, [&](int m0, int m1) { add_sums<Cell>(n, y, first, steps, m0, m1); });
    if (y.num_sums >= MOST_SUMS) y.num_sums = 0;
  }
  // to torch's order
  float **g = n.grads + 4 * l;
  const int* gates = Cell::gates();
  for (int k = 0; k < Cell::GATES; k++)
    for (int j = 0; j < n.H; j++) {
      long from = ((long)k * n.Hp + j) * y.d.P, to = (long)gates[k] * n.H + j;
      const float* c = y.sums.at + from;
      const double* d = y.total + from;
      if (k < Cell::RECUR) {
        for (int i = 0; i < n.H; i++) g[1][to * n.H + i] = (float)(d[i] + c[i]);
        g[3][to] = (float)(d[n.Hp] + c[n.Hp]);
      }
      if (k >= Cell::GATES - Cell::INPUT) {
        d += n.Hp, c += n.Hp;
        g[2][to] = (float)(d[0] + c[0]);
        for (int i = 0; i < y.d.D; i++) g[0][to * y.d.D + i] = (float)(d[1 + i] + c[1 + i]);
      }
    }
}

static int gradients(Net& n, const Source& s, const int64_t* order, long B, long T, const int64_t* targets,
                     Noises z) {
  if (!has_rows(s, order, B)) return NO_ROW;
  for (long b = 0; b < B; b++) if (targets[b] < 0 || targets[b] >= n.C) return NO_CLASS;
  if (!fit(n, B, T, true)) return NO_MEMORY;
  pack(n, true);
  n.pool.each_part(B, [&](int b0, int b1) { forward(n, s, order, z, b0, b1); });
  backward_head(n, targets, z.out);
  for (int l = n.layers - 1; l >= 0; l--) {
    const float* mask = l && z.masks ? z.masks[l - 1] : nullptr;
    BY_CELL(backward_layer<Cell>(n, l, mask))
  }
  return OK;
}
static void clip(Net& n, double most) {
  double sum = 0;
  for (int i = 0; i < n.num_weights; i++) {
    const float* g = n.grads[i];
    double part[8] = {0};
    for (long k = 0; k < n.lengths[i]; k++) part[k & 7] += (double)g[k] * g[k];
    for (int k = 0; k < 8; k++) sum += part[k];
  }
  double by = most / (sqrt(sum) + 1e-6);
  if (by >= 1) return;
  float factor = (float)by;  // NaN goes on
  for (int i = 0; i < n.num_weights; i++)
    for (long k = 0; k < n.lengths[i]; k++) n.grads[i][k] *= factor;
}

#ifdef _WIN32
#define API extern "C" __declspec(dllexport)
#else
#define API extern "C" __attribute__((visibility("default")))
#endif

API int64_t native_lanes() { return VL; }
API void native_free(Net* n) {
  if (!n) return;
  delete[] n->layer;
  delete[] n->weights;
  delete[] n->grads;
  delete[] n->lengths;
  delete n;  // its threads end
}
// weights: torch's, in its order, with their lengths; they must stay where they are
API Net* native_new(int64_t cell, int64_t D, int64_t H, int64_t layers, int64_t C, int64_t readout,
                    int64_t threads, float* const* weights, const int64_t* lengths) {
  Net* made = new Net();
  Net& n = *made;
  n.cell = (int)cell, n.D = (int)D, n.H = (int)H, n.layers = (int)layers, n.C = (int)C, n.readout = (int)readout;
  n.Hp = padded(n.H), n.Cp = padded(n.C), n.num_weights = 4 * n.layers + 2;
  n.layer = new Layer[layers];
  n.weights = new float*[n.num_weights], n.grads = new float*[n.num_weights], n.lengths = new long[n.num_weights];
  long sum = 0;
  for (int i = 0; i < n.num_weights; i++) n.weights[i] = weights[i], n.lengths[i] = lengths[i], sum += lengths[i];
  if (!n.memory.fit(sum)) { native_free(made); return nullptr; }
  n.pool.start((int)threads);
  float* at = n.memory.at;
  for (int i = 0; i < n.num_weights; i++) n.grads[i] = at, at += lengths[i];
  for (int l = 0; l < n.layers; l++) BY_CELL(init_layer<Cell>(n, l))
  return made;
}
// The gradients of the mean loss, in the net; *loss: the sum of the losses of the examples
API int64_t native_gradients(Net* n, const Source* s, const int64_t* order, int64_t B, int64_t T,
                             const int64_t* targets, const float* const* masks, const float* out_mask, double* loss) {
  uint64_t before = flush_denormals();
  int status = gradients(*n, *s, order, B, T, targets, {masks, out_mask});
  *loss = n->loss;
  restore(before);
  return status;
}
API const float* native_gradient(const Net* n, int64_t i) { return n->grads[i]; }
// state: of each weight three pointers, null where the rule has less
API void native_update(Net* n, const Rule* rule, int64_t step, double rate, const double* lr_factors,
                       const double* decays, float* const* state) {
  uint64_t before = flush_denormals();
  for (int i = 0; i < n->num_weights; i++)  // weights that are kept have no part in the norm
    if (lr_factors[i] == 0) memset(n->grads[i], 0, n->lengths[i] * sizeof(float));
  if (!isinf(rule->clip_norm)) clip(*n, rule->clip_norm);
  for (int i = 0; i < n->num_weights; i++)
    update(*rule, step, rate * lr_factors[i], decays[i], n->lengths[i], n->grads[i], n->weights[i],
           state[3 * i], state[3 * i + 1], state[3 * i + 2]);
  restore(before);
}
// The outputs [num, C] of the first examples of a source
static int outputs(Net& n, const Source& s, int64_t num, int64_t T, float* out) {
  if (!has_rows(s, nullptr, num)) return NO_ROW;
  for (int64_t first = 0; first < num; first += 64) {
    int B = (int)(num - first < 64 ? num - first : 64);
    if (!fit(n, B, T, false)) return NO_MEMORY;
    if (first == 0) pack(n, false);
    for (int l = 0; l < n.layers; l++) zero_first(n, n.layer[l], 0, B);
    for (long t = 0; t < T; t++) {
      long slot = t % 2, next = 1 - slot;
      Layer& first_layer = n.layer[0];
      for (long b = 0; b < B; b++)
        read_row(s, row_of(s, nullptr, first + b), t, n.D, first_layer.hx.at + (slot * B + b) * first_layer.d.P + n.Hp + 1);
      for (int l = 0; l < n.layers; l++) {
        forward_step(n, l, t, 0, B, slot, next, 0, 0);
        if (l + 1 < n.layers) hand_up(n, l, 0, B, next, slot, nullptr);
      }
      add_features(n, 0, B, t, next);
    }
    head(n, 0, B);
    for (int b = 0; b < B; b++) memcpy(out + (first + b) * n.C, n.logits.at + (long)b * n.Cp, n.C * sizeof(float));
  }
  return OK;
}
API int64_t native_outputs(Net* n, const Source* s, int64_t num, int64_t T, float* out) {
  uint64_t before = flush_denormals();
  int status = outputs(*n, *s, num, T, out);
  restore(before);
  return status;
}
// For the tests: 0 exp, 1 sigmoid, 2 tanh of n numbers, n a multiple of 16
API void native_function(int64_t which, int64_t num, const float* x, float* y) {
  for (int64_t i = 0; i < num; i += VL) {
    vf v = ld(x + i);
    st(y + i, which == 0 ? exp_(v) : which == 1 ? sigmoid(v) : tanh_(v));
  }
}
