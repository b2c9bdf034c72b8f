// 1x1 convolutions in registers, for the whole block and for the passes of training.
#pragma once

#include "vectors.h"

namespace lst {
namespace {

// P pixels times V vectors of outputs are added up in registers at the same time. The sums take at most three quarters
// of the registers; 16 of 32 are as good as 24, because two multiplications begin in each cycle and take four.
template <int W, int V>
constexpr int PIXELS = (REGISTERS<W> == 32 ? 16 : 12) / V;

// So many inputs at a time: their weights for two vectors of outputs, and a few pixels, lie in the first cache.
constexpr int INPUTS_AT_ONCE = 256;

// sum[p][j] += sum_i w[j][i] x[p][i] over `count` of the inputs, with w packed as (V, inputs, W).
template <int W, int P, int V>
inline void multiply(const float* x, int inputs, int count, const float* w, vec<W> (&sum)[P][V]) {
    for (int i = 0; i < count; i++) {
        vec<W> weight[V];
        for (int j = 0; j < V; j++) weight[j] = load<W>(w + (j * inputs + i) * W);
        for (int p = 0; p < P; p++)
            for (int j = 0; j < V; j++) sum[p][j] += weight[j] * x[p * inputs + i];
    }
}

// Calls visit(W outputs, pixel, first of those outputs) for all pixels and outputs.
template <int W, class Visit>
inline void convolve(const float* x, int pixels, int inputs, int outputs, const float* w, Visit visit) {
    in_groups<2>(0, outputs / W, [&](auto vectors, int first) {
        in_groups<PIXELS<W, vectors.value>>(0, pixels, [&](auto group, int pixel) {
            vec<W> out[group.value][vectors.value] = {};
            multiply<W>(x + pixel * inputs, inputs, inputs, w + first * inputs * W, out);
            for (int p = 0; p < group.value; p++)
                for (int j = 0; j < vectors.value; j++) visit(out[p][j], pixel + p, (first + j) * W);
        });
    });
}

// The outputs of a pixel become finish(bias + w x). They are at place(pixel), each vector of them `apart` floats behind
// the one before. Unfinished sums wait there for the next inputs.
template <int W, class Place, class Finish>
inline void convolve_to(const float* x, int pixels, int inputs, int outputs, const float* w, const float* bias,
                        int apart, Place place, Finish finish) {
    in_groups<2>(0, outputs / W, [&](auto vectors, int first) {
        constexpr int V = vectors.value;
        for (int i = 0; i < inputs; i += INPUTS_AT_ONCE) {
            int count = inputs - i < INPUTS_AT_ONCE ? inputs - i : INPUTS_AT_ONCE;
            const float* weights = w + (first * inputs + i) * W;
            in_groups<PIXELS<W, V>>(0, pixels, [&](auto group, int pixel) {
                vec<W> sum[group.value][V];
                for (int p = 0; p < group.value; p++)
                    for (int j = 0; j < V; j++)
                        sum[p][j] = load<W>(i == 0 ? bias + (first + j) * W : place(pixel + p) + (first + j) * apart);
                multiply<W>(x + pixel * inputs + i, inputs, count, weights, sum);
                for (int p = 0; p < group.value; p++)
                    for (int j = 0; j < V; j++) {
                        float* to = place(pixel + p) + (first + j) * apart;
                        store(to, i + count == inputs ? finish(sum[p][j]) : sum[p][j]);
                    }
            });
        }
    });
}

// Adds the sums over pixels of f and f v to sums (2, c).
template <int W>
inline void add_sums(const float* f, const float* v, int pixels, int c, float* sums) {
    for (int o = 0; o < c; o += W) {
        vec<W> first = load<W>(sums + o), second = load<W>(sums + c + o);
        for (int p = 0; p < pixels; p++) {
            vec<W> value = load<W>(f + p * c + o);
            first += value;
            second += value * load<W>(v + p * c + o);
        }
        store(sums + o, first), store(sums + c + o, second);
    }
}

}  // namespace
}  // namespace lst
