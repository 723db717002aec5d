// A net with its memory, and the parts of a step.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cells.h"
#include "rules.h"
#include "threads.h"

enum { LSTM, GRU, RNN_TANH, RNN_RELU };
enum { LAST, MEAN };
enum Status { OK, NO_ROW, NO_CLASS, NO_MEMORY };

// Sequences in memory: x = shift + scale * data[n * by_n + t * by_t + k * by_d]
struct Source {
  const void* data;
  int64_t is_bytes, num, by_n, by_t, by_d;
  const int64_t* rows;  // or null
  int64_t num_rows;
  double scale, shift;
};

// A block of floats, aligned to a cache line
struct Block {
  float* at = nullptr;
  size_t size = 0;
  ~Block() { free(whole); }
  // All zero if it had to grow
  bool fit(size_t n) {
    if (n <= size) return true;
    free(whole), whole = nullptr, at = nullptr, size = 0;
    const size_t line = 64, bytes = (n + 16) * sizeof(float) + line;
    if (!(whole = calloc(bytes, 1))) return false;
    at = (float*)(((uintptr_t)whole + line - 1) & ~(uintptr_t)(line - 1)), size = n;
    return true;
  }
  void zero(size_t n) { memset(at, 0, n * sizeof(float)); }

 private:
  void* whole = nullptr;  // as the system gave it
};

struct Layer {
  Sizes d;
  Weights w;
  Block packed, back, in;     // weights forward, for dh, for dx
  Block hx, saved, d_x;       // d_x [T][B][D padded]: for the layer below
  Block dg, carry;            // dg: a few time steps
  Block sums;                 // gradient, [GATES * Hp][P]: columns as in hx
  double* total = nullptr;    // what `sums` held before
  int num_sums = 0;           // additions to `sums` since it was zero
  ~Layer() { free(total); }
};

struct Net {
  int cell, D, H, layers, C, readout, Hp, Cp, gates;
  Layer* layer;
  float **weights, **grads;   // torch's order
  long* lengths;
  int num_weights;
  Block features, d_features, logits, head_w, head_back, head_sums, memory;
  long B = 0, T = 0;          // of the batch
  long ones = 0;              // rows of hx that have their 1
  double loss = 0;
  Pool pool;
};

INL long chunk(const Net& n) {  // time steps whose gate gradients meet the weights at once
  long c = 256 / n.B;
  if (c < 2) c = 2;
  return c < n.T ? c : n.T;
}
