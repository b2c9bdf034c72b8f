// Products that the passes of training share.
#pragma once

#include "convolution.h"
#include "kernels.h"

namespace lst {
namespace {

// dw (outputs, inputs) += the products of d (pixels, outputs) and x (pixels, inputs).
template <int W>
inline void add_products(const float* d, const float* x, int pixels, int inputs, int outputs, float* dw) {
    const int rows = W / 2;
    for (int o = 0; o < outputs; o += rows)
        in_groups<2>(0, inputs / W, [&](auto vectors, int first) {
            vec<W> sum[rows][vectors.value];
            float* to = dw + o * inputs + first * W;
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < vectors.value; j++) sum[r][j] = load<W>(to + r * inputs + j * W);
            for (int p = 0; p < pixels; p++)
                for (int j = 0; j < vectors.value; j++) {
                    vec<W> value = load<W>(x + p * inputs + (first + j) * W);
                    for (int r = 0; r < rows; r++) sum[r][j] += value * d[p * outputs + o + r];
                }
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < vectors.value; j++) store(to + r * inputs + j * W, sum[r][j]);
        });
}

// y = relu(affine(x))
template <int W>
inline void activate(const float* x, int pixels, int c, Affine affine, float* y) {
    for (int p = 0; p < pixels; p++)
        for (int o = 0; o < c; o += W)
            store(y + p * c + o, relu(load<W>(x + p * c + o) * load<W>(affine.scale + o) + load<W>(affine.shift + o)));
}

// Asks for a range of memory, to be called some time before it is read.
inline void prefetch_range(const float* from, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) __builtin_prefetch(from + i);
}

// d = slopes(g, x) for some pixels
template <int W>
inline void apply_slopes(const float* g, const float* x, int pixels, int c, Slopes slopes, float* d) {
    for (int p = 0; p < pixels; p++)
        for (int o = 0; o < c; o += W) {
            int at = p * c + o;
            store(d + at, load<W>(slopes.a + o) * load<W>(g + at) + load<W>(slopes.b + o) * load<W>(x + at) +
                              load<W>(slopes.e + o));
        }
}

// sums += partial
inline void widen(const float* partial, int count, double* sums) {
    for (int i = 0; i < count; i++) sums[i] += partial[i];
}

}  // namespace
}  // namespace lst
