// Updates of weights by their gradients, as torch.optim has them.
#pragma once
#include "vectors.h"

enum { SGD, ADAM, ADAMW, RMSPROP };
struct Rule {
  int64_t name;
  double beta1, beta2, eps, momentum, dampening, alpha;
  int64_t nesterov, centered;
  double clip_norm;
};

// step: 1 for the first update. s0, s1, s2: the state, in the order of `Rule.state_names`
static void update(const Rule& o, int64_t step, double rate, double decay, long n, const float* g,
                   float* p, float* s0, float* s1, float* s2) {
  // every constant is computed in double: 1 - 0.999f is off by 5e-5
  float wd = (float)decay, lr = (float)rate, eps = (float)o.eps;
  if (o.name == ADAM || o.name == ADAMW) {
    float b1 = (float)(1 - o.beta1), b2 = (float)o.beta2, c2 = (float)(1 - o.beta2);
    float size = (float)(rate / (1 - __builtin_pow(o.beta1, (double)step)));
    float root = (float)__builtin_sqrt(1 - __builtin_pow(o.beta2, (double)step));
    float keep = o.name == ADAMW ? (float)(1 - rate * decay) : 1.f;
    if (o.name == ADAMW) wd = 0;
    for (long i = 0; i < n; i++) {
      float w = p[i] * keep, d = g[i] + w * wd;
      float m = s0[i] + b1 * (d - s0[i]), v = s1[i] * b2 + c2 * (d * d);
      s0[i] = m, s1[i] = v;
      p[i] = w - size * (m / (__builtin_sqrtf(v) / root + eps));
    }
  } else if (o.name == SGD) {
    float mu = (float)o.momentum, damp = (float)(1 - o.dampening);
    bool first = step == 1, nesterov = o.nesterov;
    if (mu == 0) {
      for (long i = 0; i < n; i++) p[i] -= lr * (g[i] + wd * p[i]);
      return;
    }
    for (long i = 0; i < n; i++) {
      float d = g[i] + wd * p[i], m = first ? d : mu * s0[i] + damp * d;
      s0[i] = m;
      p[i] -= lr * (nesterov ? d + mu * m : m);
    }
  } else {
    float a = (float)o.alpha, c = (float)(1 - o.alpha), mu = (float)o.momentum;
    float* mean = mu == 0 ? s1 : s2;
    for (long i = 0; i < n; i++) {
      float d = g[i] + wd * p[i], v = s0[i] * a + c * (d * d), spread = v;
      s0[i] = v;
      if (o.centered) {
        float m = mean[i] + c * (d - mean[i]);
        mean[i] = m;
        spread = v - m * m;
      }
      d = d / (__builtin_sqrtf(spread) + eps);
      if (mu != 0) s1[i] = d = mu * s1[i] + d;
      p[i] -= lr * d;
    }
  }
}
