// T_s in training, forward and backward, with the T_r of the block behind it: the block's wide output is at hand in
// caches there, and so is its gradient.
#include "kernels.h"
#include "products.h"
#include "spatial.h"

namespace lst {
namespace {

// Output pixels at a time: whole rows where they are short.
int output_tile(Size size) {
    int width = size.out_width(), tile = tile_of(size.channels);
    return width >= tile ? tile : tile / width * width;
}

// Adds up f and f t over some output pixels, partial (2, 4c), with f = factor(place of T_s's first channel in the output).
template <int W, class Factor>
inline void accumulate(const float* z, Size size, const float* w, int first, int end, float* partial, Factor factor) {
    int c = size.channels, stride = size.stride, row = (size.width + 2) * c, out_width = size.out_width();
    for_rows(first, end, out_width, [&](int y, int start, int stop) {
        for (int o = 0; o < c; o += W) {
            float* sums = partial + o;
            in_groups<RESPONSES<W>>(start, stop, [&](auto group, int x) {
                vec<W> t[group.value][4] = {};
                respond<W, group.value>(z + y * stride * row + x * stride * c + o, stride, row, c, w + 36 * o, t);
                for (int k = 0; k < 4; k++) {
                    vec<W> sum = load<W>(sums + k * c), product = load<W>(sums + (4 + k) * c);
                    for (int p = 0; p < group.value; p++) {
                        vec<W> f = factor(t[p][k], (4 * (y * out_width + x + p) + k) * c + o);
                        sum += f;
                        product += f * t[p][k];
                    }
                    store(sums + k * c, sum), store(sums + (4 + k) * c, product);
                }
            });
        }
    });
}

// d (P, 4, W) = slopes(g, t) for P neighbouring output pixels and W channels; 4 W stride floats from pixel to pixel in d.
// ask_ahead: whether to prefetch g.
template <int W, int P>
inline void gradients(const float* z, int c, int stride, int row, const float* w, const float* g, Slopes slopes,
                      float* d, bool ask_ahead) {
    vec<W> t[P][4] = {};
    respond<W, P>(z, stride, row, c, w, t);
    for (int k = 0; k < 4; k++) {
        vec<W> a = load<W>(slopes.a + k * c), b = load<W>(slopes.b + k * c), e = load<W>(slopes.e + k * c);
        for (int p = 0; p < P; p++) {
            const float* from = g + (4 * p + k) * c;
            if (ask_ahead) prefetch_to_read(from);
            store(d + (4 * stride * p + k) * W, a * load<W>(from) + b * t[p][k] + e);
        }
    }
}

// Adds the products of z and one row of d, (out_width, 4, W) every stride-th, to dw (9, 4, W).
template <int W>
inline void correlate(const float* z, int out_width, int c, int stride, int row, const float* d, float* dw) {
    for (int t = 0; t < 9; t += 3, z += row, dw += 12 * W) {
        vec<W> sum[3][4];
        for (int i = 0; i < 12; i++) sum[i / 4][i % 4] = load<W>(dw + i * W);
        for (int x = 0; x < out_width; x++) {
            vec<W> value[3];
            for (int i = 0; i < 3; i++) value[i] = load<W>(z + (x * stride + i) * c), hold(value[i]);
            for (int k = 0; k < 4; k++) {
                vec<W> gradient = load<W>(d + (4 * stride * x + k) * W);
                hold(gradient);
                for (int i = 0; i < 3; i++) sum[i][k] += value[i] * gradient;
            }
        }
        for (int i = 0; i < 12; i++) store(dw + i * W, sum[i / 4][i % 4]);
    }
}

// The rows of d, (width + 2, 4, W) each, that reach one row of z, and the filters' rows by which they do.
struct Reaching {
    const float *d[3], *w[3];
    int count;
};

// T_s transposed at P neighbouring pixels from x on: W channels.
template <int W, int P>
inline void gather(const Reaching& from, int x, vec<W> (&sum)[P]) {
    for (int p = 0; p < P; p++) sum[p] = vec<W>{};
    for (int i = 0; i < from.count; i++)
        for (int k = 0; k < 4; k++) {
            vec<W> w[3];
            for (int t = 0; t < 3; t++) w[t] = load<W>(from.w[i] + (4 * t + k) * W), hold(w[t]);
            const float* d = from.d[i] + (4 * x + k) * W;
#pragma GCC unroll 16
            for (int p = 0; p < P + 2; p++) {  // d's pixel x + p - 1 reaches three pixels
                vec<W> value = load<W>(d + 4 * W * p);
                hold(value);
                if (p >= 2) sum[p - 2] += w[0] * value;
                if (p >= 1 && p <= P) sum[p - 1] += w[1] * value;
                if (p < P) sum[p] += w[2] * value;
            }
        }
}

}  // namespace

template <int W>
LST_KERNEL void Training<W>::tail(Work work, const float* v, const float* residual, float* out, Size size,
                                  Affine affine, const float* w, const float* bias, float tau, Resize r) {
    int wide = 4 * size.channels, pixels = size.out_pixels(), tile = output_tile(size);
    int ahead = size.stride * size.stride * size.channels;  // floats of v for each output pixel
    float* partial = work.scratch + size.padded_values();
    clear_border(work.scratch, size);
    std::memset(r.sums, 0, sizeof(double) * 2 * r.outputs);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), residual += pixels * wide, out += pixels * wide) {
        pad<W>(v, size, affine, tau, work.scratch);
        std::memset(partial, 0, sizeof(float) * 2 * r.outputs);
        for (int first = 0; first < pixels; first += tile) {
            int count = first + tile < pixels ? tile : pixels - first;
            prefetch_range(v + size.values() + first * ahead, count * ahead);  // the next image's
            spatial<W>(work.scratch, size, w, bias, tau, first, first + count, residual, out);
            float* y = r.y;
            int outputs = r.outputs;
            convolve<W>(out + first * wide, count, wide, outputs, r.w,
                        [=](vec<W> value, int p, int o) { store(y + p * outputs + o, value); });
            add_sums<W>(r.y, r.y, count, r.outputs, partial);
            r.y += count * r.outputs;
        }
        widen(partial, 2 * r.outputs, r.sums);
    }
}

template <int W>
LST_KERNEL void Training<W>::statistics(Work work, const float* v, double* sums, Size size, Affine affine,
                                        const float* w, float tau) {
    float* partial = work.scratch + size.padded_values();
    clear_border(work.scratch, size);
    std::memset(sums, 0, sizeof(double) * 8 * size.channels);
    for (int64_t n = 0; n < work.images; n++, v += size.values()) {
        pad<W>(v, size, affine, tau, work.scratch);
        std::memset(partial, 0, sizeof(float) * 8 * size.channels);
        accumulate<W>(work.scratch, size, w, 0, size.out_pixels(), partial, [](vec<W> t, int) { return t; });
        widen(partial, 8 * size.channels, sums);
    }
}

template <int W>
LST_KERNEL void Training<W>::backward_sums(Work work, const float* v, const float* out, const float* gradient, float* g,
                                           double* sums, Size size, Affine affine, const float* w, float tau,
                                           ResizeBackward r) {
    int wide = 4 * size.channels, pixels = size.out_pixels(), tile = output_tile(size);
    int ahead = size.stride * size.stride * size.channels;  // floats of v for each output pixel
    float *partial = work.scratch + size.padded_values(), *d = partial + 2 * wide;
    clear_border(work.scratch, size);
    std::memset(sums, 0, sizeof(double) * 2 * wide);
    if (r.y) std::memset(r.dw, 0, sizeof(float) * r.outputs * wide);
    for (int64_t n = 0; n < work.images; n++, v += size.values()) {
        pad<W>(v, size, affine, tau, work.scratch);
        std::memset(partial, 0, sizeof(float) * 2 * wide);
        for (int first = 0; first < pixels; first += tile) {
            int count = first + tile < pixels ? tile : pixels - first;
            auto mask = [=](vec<W> value, int at) {
                if (begins_line<W>(at))
                    __builtin_prefetch(out + at + tile * wide, 0), __builtin_prefetch(gradient + at + tile * wide, 1);
                if (tau > 0) value = load<W>(out + at) != 0.f ? value : vec<W>{};
                store(g + at, value);
            };
            prefetch_range(v + size.values() + first * ahead, count * ahead);  // the next image's
            if (r.y) {
                prefetch_range(r.y + tile * r.outputs, tile * r.outputs);
                prefetch_range(r.dy + tile * r.outputs, tile * r.outputs);
                apply_slopes<W>(r.dy, r.y, count, r.outputs, r.slopes, d);
                add_products<W>(d, out, count, wide, r.outputs, r.dw);
                convolve<W>(d, count, r.outputs, wide, r.w, [=](vec<W> value, int p, int i) {
                    mask(load<W>(gradient + p * wide + i) + value, p * wide + i);
                });
                r.y += count * r.outputs, r.dy += count * r.outputs;
            } else {
                for (int i = 0; i < count * wide; i += W) mask(load<W>(gradient + i), i);
            }
            const float* from = g - first * wide;
            accumulate<W>(work.scratch, size, w, first, first + count, partial,
                          [=](vec<W>, int at) { return load<W>(from + at); });
            out += count * wide, gradient += count * wide, g += count * wide;
        }
        widen(partial, 2 * wide, sums);
    }
}

template <int W>
LST_KERNEL void Training<W>::backward(Work work, const float* v, const float* g, float* dz, float* dw, double* sums,
                                      Size size, Affine affine, const float* w, Slopes slopes, float tau) {
    int c = size.channels, stride = size.stride, width = size.width, row = (width + 2) * c, out_width = size.out_width();
    int line = 4 * W * (width + 2), ring = line * (c / W);  // floats of a row of d: of W channels, and of all
    float *z = work.scratch, *d = z + size.padded_values(), *partial = d + 3 * ring;
    clear_border(z, size);
    std::memset(d, 0, sizeof(float) * 3 * ring);  // d keeps its borders, and with stride 2 the pixels between
    std::memset(dw, 0, sizeof(float) * 36 * c);
    std::memset(sums, 0, sizeof(double) * 2 * c);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), dz += size.values()) {
        pad<W>(v, size, affine, tau, z);
        std::memset(partial, 0, sizeof(float) * 2 * c);
        for (int y = 0; y <= size.height; y++) {  // row y of d, then row y - 1 of dz, which takes three of d
            if (y < size.height && y % stride == 0) {
                for (int o = 0; o < c; o += W) {
                    const float* from = z + y * row + o;
                    float* to = d + y % 3 * ring + o / W * line + 4 * W;
                    Slopes here{slopes.a + o, slopes.b + o, slopes.e + o};
                    in_groups<RESPONSES<W>>(0, out_width, [&](auto group, int x) {
                        gradients<W, group.value>(from + x * stride * c, c, stride, row, w + 36 * o, g + 4 * x * c + o,
                                                  here, to + 4 * W * stride * x, begins_line<W>(o));
                    });
                    correlate<W>(from, out_width, c, stride, row, to, dw + 36 * o);
                }
                g += 4 * out_width * c;
            }
            if (y == 0) continue;
            const float *of_z = z + y * row + c, *of_v = v + (y - 1) * width * c;
            float* to = dz + (y - 1) * width * c;
            for (int o = 0; o < c; o += W) {
                Reaching from{{}, {}, 0};
                for (int t = 0; t < 3; t++) {  // row t of the filters brings row y - t of d
                    int of_d = y - t;
                    if (of_d < 0 || of_d >= size.height || of_d % stride) continue;
                    from.d[from.count] = d + of_d % 3 * ring + o / W * line;
                    from.w[from.count++] = w + 36 * o + 12 * t * W;
                }
                vec<W> sum = load<W>(partial + o), product = load<W>(partial + c + o);
                in_groups<8>(0, width, [&](auto group, int x) {
                    vec<W> spread[group.value];
                    gather<W, group.value>(from, x, spread);
                    for (int p = 0; p < group.value; p++) {
                        int at = (x + p) * c + o;
                        if (tau > 0) spread[p] = load<W>(of_z + at) != 0.f ? spread[p] : vec<W>{};
                        store(to + at, spread[p]);
                        sum += spread[p];
                        product += spread[p] * load<W>(of_v + at);
                    }
                });
                store(partial + o, sum), store(partial + c + o, product);
            }
        }
        widen(partial, 2 * c, sums);
    }
}

template struct Training<LST_WIDTH>;

}  // namespace lst
