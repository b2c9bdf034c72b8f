// T_s, four 3x3 filters a channel, in registers: its output is four times as wide as its input and is never stored.
#pragma once

#include "kernels.h"
#include "vectors.h"

namespace lst {
namespace {

// So many pixels at a time: their sums for four filters, their values and one filter fit into the registers. One with SSE,
// where each product needs a register of its own, as there is no fused multiply-add.
template <int W>
constexpr int RESPONSES = REGISTERS<W> == 32 ? 4 : W == 8 ? 3 : 1;

inline void clear_border(float* z, Size size) {
    int c = size.channels, row = (size.width + 2) * c;
    for (int i = 0; i < row; i++) z[i] = z[(size.height + 1) * row + i] = 0;
    for (int y = 1; y <= size.height; y++)
        for (int i = 0; i < c; i++) z[y * row + i] = z[y * row + (size.width + 1) * c + i] = 0;
}

// z = shrink(affine(v)) in the middle of (height + 2, width + 2, c).
template <int W>
inline void pad(const float* v, Size size, Affine affine, float tau, float* z) {
    int c = size.channels;
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++, v += c) {
            float* to = z + ((y + 1) * (size.width + 2) + x + 1) * c;
            for (int o = 0; o < c; o += W) {
                vec<W> value = load<W>(v + o);
                if (affine.scale) value = value * load<W>(affine.scale + o) + load<W>(affine.shift + o);
                store(to + o, shrink(value, tau));
            }
        }
}

// Holds a value in a register. The compiler would rather load it again for each product, and loads are what limits then.
// Does nothing where V is wider than a register.
template <class V>
inline void hold([[maybe_unused]] V& v) {
#if defined(__AVX512F__)
    if constexpr (sizeof(V) <= 64) asm("" : "+v"(v));
#elif defined(__AVX__)
    if constexpr (sizeof(V) <= 32) asm("" : "+x"(v));
#elif defined(__aarch64__)
    if constexpr (sizeof(V) <= 16) asm("" : "+w"(v));
#endif
}

// Adds T_s at P neighbouring output pixels to sum: W channels, 4 filters. z: padded; w: (9, 4, W).
template <int W, int P>
inline void respond(const float* z, int stride, int row, int c, const float* w, vec<W> (&sum)[P][4]) {
    for (int y = 0; y < 3; y++, z += row)
        for (int x = 0; x < 3; x++, w += 4 * W) {
            vec<W> value[P];
            for (int p = 0; p < P; p++) value[p] = load<W>(z + (p * stride + x) * c), hold(value[p]);
            for (int k = 0; k < 4; k++) {
                vec<W> filter = load<W>(w + k * W);
                hold(filter);
                for (int p = 0; p < P; p++) sum[p][k] += filter * value[p];
            }
        }
}

// Calls visit(row, first x, end) for the rows' parts among the output pixels from `first` to `end`.
template <class Visit>
inline void for_rows(int first, int end, int out_width, Visit visit) {
    for (int y = first / out_width, x = first % out_width; y * out_width + x < end; y++, x = 0) {
        int left = end - y * out_width;
        visit(y, x, left < out_width ? left : out_width);
    }
}

// Calls visit(responses (group of pixels, 4), first channel, first pixel) for the output pixels from `first` to `end` in
// order: memory behind them is read and written in order then.
template <int W, class Visit>
inline void for_responses(const float* z, Size size, const float* w, int first, int end, Visit visit) {
    int c = size.channels, stride = size.stride, row = (size.width + 2) * c, out_width = size.out_width();
    for_rows(first, end, out_width, [&](int y, int start, int stop) {
        in_groups<RESPONSES<W>>(start, stop, [&](auto group, int x) {
            for (int o = 0; o < c; o += W) {
                vec<W> sum[group.value][4] = {};
                respond<W, group.value>(z + y * stride * row + x * stride * c + o, stride, row, c, w + 36 * o, sum);
                visit(sum, o, y * out_width + x);
            }
        });
    });
}

// out = shrink(residual + bias + T_s z) for those pixels; residual and out may be the same.
template <int W>
inline void spatial(const float* z, Size size, const float* w, const float* bias, float tau, int first, int end,
                    const float* residual, float* out) {
    int c = size.channels;
    for_responses<W>(z, size, w, first, end, [=](auto& responses, int o, int pixel) {
        for (auto& t : responses) {
            for (int k = 0; k < 4; k++) {
                int at = (4 * pixel + k) * c + o;
                if (begins_line<W>(o)) prefetch_to_read(residual + at), prefetch_to_write(out + at);
                store(out + at, shrink(load<W>(residual + at) + load<W>(bias + k * c + o) + t[k], tau));
            }
            pixel++;
        }
    });
}

}  // namespace
}  // namespace lst
