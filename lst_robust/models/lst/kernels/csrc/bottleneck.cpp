// T_s and what surrounds it, the second half of the block, for training. T_s's output, four times
// as wide as its input, stays in registers.
#include "convolution.h"
#include "kernels.h"

namespace lst {
namespace {

template <int W>
constexpr int RESPONSES = W / 4;  // that many pixels times four filters fit into the registers

void clear_border(float* z, Size size) {
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

// T_s at P neighbouring output pixels: W channels, 4 filters. z: padded; w: (9, 4, W).
template <int W, int P>
inline void respond(const float* z, int stride, int row, int c, const float* w, vec<W> sum[P][4]) {
    for (int k = 0; k < 4; k++)
        for (int p = 0; p < P; p++) sum[p][k] = vec<W>{};
    for (int t = 0; t < 9; t++) {
        const float* from = z + (t / 3) * row + (t % 3) * c;
        for (int p = 0; p < P; p++) {
            vec<W> value = load<W>(from + p * stride * c);
            for (int k = 0; k < 4; k++) sum[p][k] += load<W>(w + (4 * t + k) * W) * value;
        }
    }
}

// Calls visit(responses (group of pixels, 4), first channel, first pixel) for all of an image, pixels in order: memory
// behind them is read and written in order then.
template <int W, class Visit>
inline void for_responses(const float* z, Size size, const float* w, Visit visit) {
    int c = size.channels, stride = size.stride, row = (size.width + 2) * c;
    int out_width = size.out_width(), out_height = size.out_height();
    for (int y = 0; y < out_height; y++)
        in_groups<RESPONSES<W>>(0, out_width, [&](auto group, int x) {
            for (int o = 0; o < c; o += W) {
                vec<W> sum[group.value][4];
                respond<W, group.value>(z + y * stride * row + x * stride * c + o, stride, row, c, w + 36 * o, sum);
                visit(sum, o, y * out_width + x);
            }
        });
}

// out = shrink(residual + bias + T_s z); residual and out may be the same.
template <int W>
inline void spatial(const float* z, Size size, const float* w, const float* bias, float tau, const float* residual,
                    float* out) {
    int c = size.channels;
    for_responses<W>(z, size, w, [=](auto& responses, int o, int pixel) {
        for (auto& t : responses) {
            for (int k = 0; k < 4; k++) {
                int at = (4 * pixel + k) * c + o;
                prefetch_to_read(residual + at), prefetch_to_write(out + at);
                store(out + at, shrink(load<W>(residual + at) + load<W>(bias + k * c + o) + t[k], tau));
            }
            pixel++;
        }
    });
}

// Sums (2, 4c) of f and f t over an image, with f = factor(t, place of t's first channel in the output). partial: 8c.
template <int W, class Factor>
inline void accumulate(const float* z, Size size, const float* w, float* partial, double* sums, Factor factor) {
    int c = size.channels;
    std::memset(partial, 0, sizeof(float) * 8 * c);
    for_responses<W>(z, size, w, [=](auto& responses, int o, int pixel) {
        vec<W> first[4] = {}, second[4] = {};
        for (auto& t : responses) {
            for (int k = 0; k < 4; k++) {
                vec<W> f = factor(t[k], (4 * pixel + k) * c + o);
                first[k] += f;
                second[k] += f * t[k];
            }
            pixel++;
        }
        for (int k = 0; k < 4; k++) {
            float *f = partial + k * c + o, *ft = f + 4 * c;
            store(f, load<W>(f) + first[k]), store(ft, load<W>(ft) + second[k]);
        }
    });
    for (int i = 0; i < 8 * c; i++) sums[i] = partial[i];
}

// d (P, 4, W) = slopes(g, t) for P neighbouring pixels and W channels.
template <int W, int P>
inline void gradients(const float* z, int c, int stride, int row, const float* w, const float* g, Slopes slopes,
                      float* d) {
    vec<W> t[P][4];
    respond<W, P>(z, stride, row, c, w, t);
    for (int p = 0; p < P; p++)
        for (int k = 0; k < 4; k++) {
            vec<W> gradient = load<W>(slopes.a + k * c) * load<W>(g + (4 * p + k) * c);
            prefetch_to_read(g + (4 * p + k) * c);
            store(d + (4 * p + k) * W,
                  gradient + load<W>(slopes.b + k * c) * t[p][k] + load<W>(slopes.e + k * c));
        }
}

// One row of T_s transposed: spreads d over dz and adds z's products with d to dw (9, 4, W).
template <int W>
inline void transposed(const float* z, int out_width, int c, int stride, int row, const float* w, const float* d,
                       float* dz, float* dw) {
    for (int t = 0; t < 9; t++) {
        int shift = (t / 3) * row + (t % 3) * c;
        vec<W> filter[4], sum[4];
        for (int k = 0; k < 4; k++) filter[k] = load<W>(w + (4 * t + k) * W), sum[k] = load<W>(dw + (4 * t + k) * W);
        for (int x = 0; x < out_width; x++) {
            vec<W> value = load<W>(z + shift + x * stride * c), spread = load<W>(dz + shift + x * stride * c);
            for (int k = 0; k < 4; k++) {
                vec<W> gradient = load<W>(d + (4 * x + k) * W);
                sum[k] += value * gradient;
                spread += filter[k] * gradient;
            }
            store(dz + shift + x * stride * c, spread);
        }
        for (int k = 0; k < 4; k++) store(dw + (4 * t + k) * W, sum[k]);
    }
}

}  // namespace

template <int W>
LST_KERNEL void Bottleneck<W>::tail(Work work, const float* v, const float* residual, float* out, Size size,
                                    Affine affine, const float* w, const float* bias, float tau) {
    int64_t out_values = size.out_values(4 * size.channels);
    clear_border(work.scratch, size);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), residual += out_values, out += out_values) {
        pad<W>(v, size, affine, tau, work.scratch);
        spatial<W>(work.scratch, size, w, bias, tau, residual, out);
    }
}

template <int W>
LST_KERNEL void Bottleneck<W>::statistics(Work work, const float* v, double* sums, Size size, Affine affine,
                                          const float* w, float tau) {
    float* partial = work.scratch + size.padded_values();
    clear_border(work.scratch, size);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), sums += 8 * size.channels) {
        pad<W>(v, size, affine, tau, work.scratch);
        accumulate<W>(work.scratch, size, w, partial, sums, [](vec<W> t, int) { return t; });
    }
}

template <int W>
LST_KERNEL void Bottleneck<W>::backward_sums(Work work, const float* v, const float* out, const float* gradient,
                                             float* g, double* sums, Size size, Affine affine, const float* w,
                                             float tau) {
    int64_t out_values = size.out_values(4 * size.channels);
    float* partial = work.scratch + size.padded_values();
    clear_border(work.scratch, size);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), sums += 8 * size.channels) {
        pad<W>(v, size, affine, tau, work.scratch);
        accumulate<W>(work.scratch, size, w, partial, sums, [=](vec<W>, int at) {
            vec<W> value = load<W>(gradient + at);
            prefetch_to_read(gradient + at), prefetch_to_read(out + at), prefetch_to_write(g + at);
            if (tau > 0) value = load<W>(out + at) != 0.f ? value : vec<W>{};
            store(g + at, value);
            return value;
        });
        out += out_values, gradient += out_values, g += out_values;
    }
}

template <int W>
LST_KERNEL void Bottleneck<W>::backward(Work work, const float* v, const float* g, float* dz, float* dw, double* sums,
                                        Size size, Affine affine, const float* w, Slopes slopes, float tau) {
    int c = size.channels, stride = size.stride, width = size.width, row = (width + 2) * c;
    int out_width = size.out_width(), out_height = size.out_height();
    float *padded = work.scratch, *spread = padded + size.padded_values(), *d = spread + size.padded_values();
    float* partial = d + 4 * W * out_width;
    clear_border(padded, size);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), dz += size.values(), dw += 36 * c, sums += 2 * c) {
        pad<W>(v, size, affine, tau, padded);
        std::memset(spread, 0, sizeof(float) * size.padded_values());
        std::memset(dw, 0, sizeof(float) * 36 * c);
        std::memset(partial, 0, sizeof(float) * 2 * c);
        for (int y = 0; y < out_height; y++, g += 4 * out_width * c)
            for (int o = 0; o < c; o += W) {
                const float* from = padded + y * stride * row + o;
                Slopes here{slopes.a + o, slopes.b + o, slopes.e + o};
                in_groups<RESPONSES<W>>(0, out_width, [&](auto group, int x) {
                    gradients<W, group.value>(from + x * stride * c, c, stride, row, w + 36 * o, g + 4 * x * c + o,
                                              here, d + 4 * W * x);
                });
                transposed<W>(from, out_width, c, stride, row, w + 36 * o, d, spread + y * stride * row + o,
                              dw + 36 * o);
            }
        for (int y = 0; y < size.height; y++) {
            int inside = (y + 1) * row + c, start = y * width * c;
            for (int i = 0; i < width * c; i += W) {
                vec<W> value = load<W>(spread + inside + i);
                if (tau > 0) value = load<W>(padded + inside + i) != 0.f ? value : vec<W>{};
                store(dz + start + i, value);
            }
            add_sums<W>(dz + start, v + start, width, c, partial);
        }
        for (int i = 0; i < 2 * c; i++) sums[i] = partial[i];
    }
}

template struct Bottleneck<LST_WIDTH>;

}  // namespace lst
