// The 1x1 convolutions T_r and T_c in training, with the BNs around them.
#include "kernels.h"
#include "products.h"

namespace lst {
namespace {

// Calls visit(number of pixels) for an image in parts.
template <class Visit>
inline void in_tiles(int pixels, int tile, Visit visit) {
    for (; pixels > 0; pixels -= tile) visit(pixels < tile ? pixels : tile);
}

}  // namespace

template <int W>
LST_KERNEL void Pointwise<W>::sums(Work work, const float* v, double* sums, int pixels, int c) {
    std::memset(sums, 0, sizeof(double) * 2 * c);
    for (int64_t n = 0; n < work.images; n++, v += (int64_t)pixels * c) {
        std::memset(work.scratch, 0, sizeof(float) * 2 * c);
        add_sums<W>(v, v, pixels, c, work.scratch);
        widen(work.scratch, 2 * c, sums);
    }
}

template <int W>
LST_KERNEL void Pointwise<W>::normalise_backward(Work work, const float* v, float* dz, int pixels, int c,
                                                 Slopes slopes) {
    apply_slopes<W>(dz, v, (int)work.images * pixels, c, slopes, dz);
}

template <int W>
LST_KERNEL void Pointwise<W>::forward(Work work, const float* x, float* out, double* sums, int pixels, int inputs,
                                      int outputs, const float* w, Affine affine) {
    const int size = tile_of(outputs);
    float *tile = work.scratch, *partial = tile + size * inputs;
    std::memset(sums, 0, sizeof(double) * 2 * outputs);
    for (int64_t n = 0; n < work.images; n++) {
        std::memset(partial, 0, sizeof(float) * 2 * outputs);
        in_tiles(pixels, size, [&](int count) {
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
LST_KERNEL void Pointwise<W>::mix_backward(Work work, const float* x, const float* v, const float* dz, float* dx,
                                           float* dw, double* sums, int pixels, int c, const float* w, Affine affine,
                                           Slopes slopes) {
    const int size = tile_of(c);
    float *y = work.scratch, *d = y + size * c, *partial = d + size * c;
    std::memset(dw, 0, sizeof(float) * c * c);
    std::memset(sums, 0, sizeof(double) * 2 * c);
    for (int64_t n = 0; n < work.images; n++) {
        std::memset(partial, 0, sizeof(float) * 2 * c);
        in_tiles(pixels, size, [&](int count) {
            activate<W>(x, count, c, affine, y);
            apply_slopes<W>(dz, v, count, c, slopes, d);
            add_products<W>(d, y, count, c, c, dw);
            convolve<W>(d, count, c, c, w, [=](vec<W> value, int p, int o) {
                store(dx + p * c + o, load<W>(y + p * c + o) > 0.f ? value : vec<W>{});
            });
            add_sums<W>(dx, x, count, c, partial);
            x += count * c, v += count * c, dz += count * c, dx += count * c;
        });
        widen(partial, 2 * c, sums);
    }
}

template <int W>
LST_KERNEL void Pointwise<W>::resize_backward(Work work, const float* x, float* dx, int pixels, int inputs,
                                              ResizeBackward r) {
    const int size = tile_of(r.outputs);
    float* d = work.scratch;
    std::memset(r.dw, 0, sizeof(float) * r.outputs * inputs);
    for (int64_t n = 0; n < work.images; n++)
        in_tiles(pixels, size, [&](int count) {
            apply_slopes<W>(r.dy, r.y, count, r.outputs, r.slopes, d);
            add_products<W>(d, x, count, inputs, r.outputs, r.dw);
            convolve<W>(d, count, r.outputs, inputs, r.w, [=](vec<W> value, int p, int i) {
                float* to = dx + p * inputs + i;
                if (begins_line<W>(p * inputs + i))
                    __builtin_prefetch(to + size * inputs, 1), __builtin_prefetch(x + p * inputs + i + size * inputs, 0);
                store(to, load<W>(to) + value);
            });
            x += count * inputs, dx += count * inputs, r.y += count * r.outputs, r.dy += count * r.outputs;
        });
}

template struct Pointwise<LST_WIDTH>;

}  // namespace lst
