// 1x1 convolutions in registers, for the whole block and for the passes of training.
#pragma once

#include "vectors.h"

namespace lst {

template <int W>
constexpr int PIXELS = W / 2;  // that many pixels times two vectors of outputs fit into the registers

// P pixels x V vectors of outputs: out[p][j] = sum_i w[j][i] x[p][i], with w packed as (V, inputs, W).
template <int W, int P, int V>
inline void multiply(const float* x, int inputs, const float* w, vec<W> (&out)[P][V]) {
    for (int p = 0; p < P; p++)
        for (int j = 0; j < V; j++) out[p][j] = vec<W>{};
    for (int i = 0; i < inputs; i++)
        for (int j = 0; j < V; j++) {
            vec<W> weight = load<W>(w + (j * inputs + i) * W);
            for (int p = 0; p < P; p++) out[p][j] += weight * x[p * inputs + i];
        }
}

// Calls visit(W outputs, pixel, first of those outputs) for all pixels and outputs.
template <int W, class Visit>
inline void convolve(const float* x, int pixels, int inputs, int outputs, const float* w, Visit visit) {
    in_groups<2>(0, outputs / W, [&](auto vectors, int first) {
        in_groups<PIXELS<W>>(0, pixels, [&](auto group, int pixel) {
            vec<W> out[group.value][vectors.value];
            multiply<W>(x + pixel * inputs, inputs, w + first * inputs * W, out);
            for (int p = 0; p < group.value; p++)
                for (int j = 0; j < vectors.value; j++) visit(out[p][j], pixel + p, (first + j) * W);
        });
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

}  // namespace lst
