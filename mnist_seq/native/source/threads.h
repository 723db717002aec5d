// Threads that share the work of a step. Each number is computed by one thread in the same order as
// by a single one, so the numbers do not depend on how many there are.
#pragma once
#include "vectors.h"
#ifndef _WIN32
#include <pthread.h>
#include <sched.h>
#endif

struct Pool {
  int num = 1;  // with the thread that calls
#ifdef _WIN32
  void start(int) {}
  template <class F> void each_part(long size, F f) { f(0, (int)size); }
#else
  typedef void (*Work)(const void* what, int part);
  struct Seat { Pool* pool; int part; pthread_t thread; };
  Seat* seats = nullptr;
  Work work = nullptr;
  const void* what = nullptr;
  int round = 0, left = 0;  // atomic
  bool is_over = false;
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t begins = PTHREAD_COND_INITIALIZER;

  void start(int threads) {
    if (threads < 2) return;
    seats = new Seat[threads];
    for (; num < threads; num++) {
      seats[num] = {this, num, 0};
      if (pthread_create(&seats[num].thread, nullptr, run, &seats[num])) break;
    }
  }
  ~Pool() {
    pthread_mutex_lock(&lock);
    is_over = true;
    __atomic_add_fetch(&round, 1, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&begins);
    pthread_mutex_unlock(&lock);
    for (int i = 1; i < num; i++) pthread_join(seats[i].thread, nullptr);
    delete[] seats;
  }
  static void* run(void* seat) {
    Seat& me = *(Seat*)seat;
    Pool& p = *me.pool;
    flush_denormals();
    for (int seen = 0;; seen++) {
      // the next piece of work mostly comes within microseconds
      for (int i = 0; i < 20000 && __atomic_load_n(&p.round, __ATOMIC_ACQUIRE) == seen; i++) pause();
      if (__atomic_load_n(&p.round, __ATOMIC_ACQUIRE) == seen) {
        pthread_mutex_lock(&p.lock);
        while (__atomic_load_n(&p.round, __ATOMIC_ACQUIRE) == seen) pthread_cond_wait(&p.begins, &p.lock);
        pthread_mutex_unlock(&p.lock);
      }
      if (p.is_over) return nullptr;
      p.work(p.what, me.part);
      __atomic_sub_fetch(&p.left, 1, __ATOMIC_RELEASE);
    }
  }
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#endif
  }
  // f(begin, end) for equal parts of `size` things, one part a thread; returns when all are done
  template <class F> void each_part(long size, F f) {
    if (num == 1) { f(0, (int)size); return; }
    struct Job { F* f; long size; int num; } job = {&f, size, num};
    work = [](const void* w, int part) {
      const Job& j = *(const Job*)w;
      int begin = (int)(j.size * part / j.num), end = (int)(j.size * (part + 1) / j.num);
      if (begin < end) (*j.f)(begin, end);
    };
    what = &job;
    __atomic_store_n(&left, num - 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lock);
    __atomic_add_fetch(&round, 1, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&begins);
    pthread_mutex_unlock(&lock);
    work(what, 0);
    for (int i = 0; __atomic_load_n(&left, __ATOMIC_ACQUIRE); i++) i < 2000 ? pause() : (void)sched_yield();
  }
#endif
};
