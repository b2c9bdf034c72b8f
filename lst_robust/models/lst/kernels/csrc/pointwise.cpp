// The 1x1 convolutions T_r and T_c in training, with the BNs around them.
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

// Calls visit(number of pixels) for an image in parts.
template <int TILE, class Visit>
inline void in_tiles(int pixels, Visit visit) {
    for (; pixels > 0; pixels -= TILE) visit(pixels < TILE ? pixels : TILE);
}

inline void widen(const float* partial, int count, double* sums) {
    for (int i = 0; i < count; i++) sums[i] = partial[i];
}

}  // namespace

template <int W>
LST_KERNEL void Pointwise<W>::sums(Work work, const float* v, double* sums, int pixels, int c) {
    for (int64_t n = 0; n < work.images; n++, v += (int64_t)pixels * c, sums += 2 * c) {
        std::memset(work.scratch, 0, sizeof(float) * 2 * c);
        add_sums<W>(v, v, pixels, c, work.scratch);
        widen(work.scratch, 2 * c, sums);
    }
}

template <int W>
LST_KERNEL void Pointwise<W>::normalise_backward(Work work, const float* v, float* dz, int pixels, int c,
                                                 Slopes slopes) {
    for (int64_t p = 0; p < work.images * pixels; p++, v += c, dz += c)
        for (int o = 0; o < c; o += W)
            store(dz + o, load<W>(slopes.a + o) * load<W>(dz + o) + load<W>(slopes.b + o) * load<W>(v + o) +
                              load<W>(slopes.e + o));
}

template <int W>
LST_KERNEL void Pointwise<W>::forward(Work work, const float* x, float* out, double* sums, int pixels, int inputs,
                                      int outputs, const float* w, Affine affine) {
    float *tile = work.scratch, *partial = tile + TILE * inputs;
    for (int64_t n = 0; n < work.images; n++, sums += 2 * outputs) {
        std::memset(partial, 0, sizeof(float) * 2 * outputs);
        in_tiles<TILE>(pixels, [&](int count) {
            for (int i = 0; i < count * inputs; i += 16) prefetch_to_read(x + i);
            if (affine.scale) activate<W>(x, count, inputs, affine, tile);
            convolve<W>(affine.scale ? tile : x, count, inputs, outputs, w,
                        [=](vec<W> value, int p, int o) { store(out + p * outputs + o, value); });
            add_sums<W>(out, out, count, outputs, partial);
            x += count * inputs, out += count * outputs;
        });
        widen(partial, 2 * outputs, sums);
    }
}

template <int W>
LST_KERNEL void Pointwise<W>::mix_backward(Work work, const float* x, const float* d, float* dx, float* dw,
                                           double* sums, int pixels, int c, const float* w, Affine affine) {
    float *y = work.scratch, *partial = y + TILE * c;
    for (int64_t n = 0; n < work.images; n++, dw += c * c, sums += 2 * c) {
        std::memset(partial, 0, sizeof(float) * 2 * c);
        std::memset(dw, 0, sizeof(float) * c * c);
        in_tiles<TILE>(pixels, [&](int count) {
            activate<W>(x, count, c, affine, y);
            add_products<W>(d, y, count, c, c, dw);
            convolve<W>(d, count, c, c, w, [=](vec<W> value, int p, int o) {
                store(dx + p * c + o, load<W>(y + p * c + o) > 0.f ? value : vec<W>{});
            });
            add_sums<W>(dx, x, count, c, partial);
            x += count * c, d += count * c, dx += count * c;
        });
        widen(partial, 2 * c, sums);
    }
}

template <int W>
LST_KERNEL void Pointwise<W>::resize_backward(Work work, const float* x, const float* y, const float* dy, float* dx,
                                              float* dw, int pixels, int inputs, int outputs, const float* w,
                                              Slopes slopes) {
    float* d = work.scratch;
    for (int64_t n = 0; n < work.images; n++, dw += outputs * inputs) {
        std::memset(dw, 0, sizeof(float) * outputs * inputs);
        in_tiles<TILE>(pixels, [&](int count) {
            for (int p = 0; p < count; p++)
                for (int o = 0; o < outputs; o += W) {
                    int at = p * outputs + o;
                    store(d + at, load<W>(slopes.a + o) * load<W>(dy + at) + load<W>(slopes.b + o) * load<W>(y + at) +
                                      load<W>(slopes.e + o));
                }
            add_products<W>(d, x, count, inputs, outputs, dw);
            convolve<W>(d, count, outputs, inputs, w, [=](vec<W> value, int p, int i) {
                float* to = dx + p * inputs + i;
                __builtin_prefetch(to + TILE * inputs, 1), __builtin_prefetch(x + p * inputs + i + TILE * inputs, 0);
                store(to, load<W>(to) + value);
            });
            x += count * inputs, dx += count * inputs, y += count * outputs, dy += count * outputs;
        });
    }
}

template struct Pointwise<LST_WIDTH>;

}  // namespace lst
