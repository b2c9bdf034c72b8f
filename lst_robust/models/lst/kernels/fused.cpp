// The LST-II bottleneck on float32, channels last: for inference in one pass over each image, BN folded; for training in
// the passes that BN's statistics leave (training.py).
//
//   z = shrink(b2 + W2 relu(b1 + W1 x))          1x1 convolutions T_r and T_c
//   out = shrink(residual + b3 + T_s z)          four 3x3 depthwise filters a channel, k-major, stride 1 or 2
//
// Kept small on purpose: GCC/Clang vectors, no intrinsics, no OpenMP (Python splits the images over threads; ctypes
// releases the GIL). Every number of channels is a multiple of W; fused.py documents the packing of the weights, and
// building.py builds the file once for each W that is needed.

#include <cstdint>
#include <cstring>
#include <type_traits>

#ifndef LANES
#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
#endif

const int W = LANES;          // floats in a vector
const int PIXELS = W / 2;     // pixels times two vectors of outputs that the registers hold, for 1x1 convolutions
const int RESPONSES = W / 4;  // and pixels times four filters, for T_s

const int TILE = 32;          // pixels of a 1x1 convolution at a time

typedef float vec __attribute__((vector_size(4 * W), aligned(4), may_alias));

static inline vec load(const float* p) { return *(const vec*)p; }
static inline void store(float* p, vec v) { *(vec*)p = v; }
// Asks for memory that is needed 4 KB later: wide activations come from beyond the caches, and the processor's own
// prefetching stops at every page.
static inline void ahead(const float* p) { __builtin_prefetch(p + 1024, 0); }
static inline void ahead_to_write(const float* p) { __builtin_prefetch(p + 1024, 1); }
static inline vec relu(vec v) { return vec{} > v ? vec{} : v; }  // keeps a NaN
static inline vec shrink(vec v, float tau) {
    vec high = vec{} + tau, low = vec{} - tau;
    vec inner = low > v ? low : v;
    return v - (inner > high ? high : inner);
}

// Calls call(group size, first) for all of a range, in groups of P and for what is left over of P/2, P/4 ... 1.
template <int P, class Call>
static inline void in_groups(int first, int end, Call call) {
    for (; first + P <= end; first += P) call(std::integral_constant<int, P>(), first);
    if constexpr (P > 1) in_groups<P / 2>(first, end, call);
}

// P pixels x V vectors of outputs in registers: out[p][j] = sum_i w[j][i] x[p][i], with w packed as (V, inputs, W).
template <int P, int V>
static inline void multiply(const float* x, int inputs, const float* w, vec (&out)[P][V]) {
    for (int p = 0; p < P; p++)
        for (int j = 0; j < V; j++) out[p][j] = vec{};
    for (int i = 0; i < inputs; i++)
        for (int j = 0; j < V; j++) {
            vec weight = load(w + (j * inputs + i) * W);
            for (int p = 0; p < P; p++) out[p][j] += weight * x[p * inputs + i];
        }
}

// A 1x1 convolution: calls visit(W outputs, pixel, first of those outputs) for all pixels and outputs.
template <class Visit>
static inline void pointwise(const float* x, int pixels, int inputs, int outputs, const float* w, Visit visit) {
    in_groups<2>(0, outputs / W, [&](auto vectors, int first) {
        in_groups<PIXELS>(0, pixels, [&](auto group, int pixel) {
            vec out[group.value][vectors.value];
            multiply(x + pixel * inputs, inputs, w + first * inputs * W, out);
            for (int p = 0; p < group.value; p++)
                for (int j = 0; j < vectors.value; j++) visit(out[p][j], pixel + p, (first + j) * W);
        });
    });
}

static void clear_border(float* z, int height, int width, int c) {
    int row = (width + 2) * c;
    for (int i = 0; i < row; i++) z[i] = z[(height + 1) * row + i] = 0;
    for (int y = 1; y <= height; y++)
        for (int i = 0; i < c; i++) z[y * row + i] = z[y * row + (width + 1) * c + i] = 0;
}

// T_s at P neighbouring output pixels: W channels, 4 filters. z: padded; w: (9, 4, W).
template <int P>
static inline void respond(const float* z, int stride, int row, int c, const float* w, vec sum[P][4]) {
    for (int k = 0; k < 4; k++)
        for (int p = 0; p < P; p++) sum[p][k] = vec{};
    for (int t = 0; t < 9; t++) {
        const float* from = z + (t / 3) * row + (t % 3) * c;
        for (int p = 0; p < P; p++) {
            vec value = load(from + p * stride * c);
            for (int k = 0; k < 4; k++) sum[p][k] += load(w + (4 * t + k) * W) * value;
        }
    }
}

// Calls visit(responses (group of pixels, 4), first channel, first pixel) for all of an image, pixels in order: memory
// behind them is read and written in order then.
template <class Visit>
static inline void for_responses(const float* z, int height, int width, int c, int stride, const float* w,
                                 Visit visit) {
    int row = (width + 2) * c, out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
    for (int y = 0; y < out_height; y++)
        in_groups<RESPONSES>(0, out_width, [&](auto group, int x) {
            for (int o = 0; o < c; o += W) {
                vec sum[group.value][4];
                respond<group.value>(z + y * stride * row + x * stride * c + o, stride, row, c, w + 36 * o, sum);
                visit(sum, o, y * out_width + x);
            }
        });
}

// out = shrink(residual + bias + T_s z); residual and out may be the same.
static inline void spatial(const float* z, int height, int width, int c, int stride, const float* w, const float* bias,
                           float tau, const float* residual, float* out) {
    for_responses(z, height, width, c, stride, w, [=](auto& responses, int o, int pixel) {
        for (auto& t : responses) {
            for (int k = 0; k < 4; k++) {
                int at = (4 * pixel + k) * c + o;
                ahead(residual + at), ahead_to_write(out + at);
                store(out + at, shrink(load(residual + at) + load(bias + k * c + o) + t[k], tau));
            }
            pixel++;
        }
    });
}

// z = shrink(scale·v + shift), or shrink(v) without scale, in the middle of (height + 2, width + 2, c).
static inline void pad(const float* v, int height, int width, int c, const float* scale, const float* shift, float tau,
                       float* z) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, v += c) {
            float* to = z + ((y + 1) * (width + 2) + x + 1) * c;
            for (int o = 0; o < c; o += W) {
                vec value = load(v + o);
                if (scale) value = value * load(scale + o) + load(shift + o);
                store(to + o, shrink(value, tau));
            }
        }
}

// Sums (2, 4c) of f and f·t over an image, with f = factor(t, place of t's first channel in the output): in float over
// the image (partial: 8c floats), in double over images.
template <class Factor>
static inline void accumulate(const float* z, int height, int width, int c, int stride, const float* w, float* partial,
                              double* sums, Factor factor) {
    std::memset(partial, 0, sizeof(float) * 8 * c);
    for_responses(z, height, width, c, stride, w, [=](auto& responses, int o, int pixel) {
        vec first[4] = {}, second[4] = {};
        for (auto& t : responses) {
            for (int k = 0; k < 4; k++) {
                vec f = factor(t[k], (4 * pixel + k) * c + o);
                first[k] += f;
                second[k] += f * t[k];
            }
            pixel++;
        }
        for (int k = 0; k < 4; k++) {
            float *f = partial + k * c + o, *ft = f + 4 * c;
            store(f, load(f) + first[k]), store(ft, load(ft) + second[k]);
        }
    });
    for (int i = 0; i < 8 * c; i++) sums[i] = partial[i];
}

// d (P, 4, W) = a·g + b·t + e for P neighbouring pixels and W channels.
template <int P>
static inline void gradients(const float* z, int c, int stride, int row, const float* w, const float* g, const float* a,
                             const float* b, const float* e, float* d) {
    vec t[P][4];
    respond<P>(z, stride, row, c, w, t);
    for (int p = 0; p < P; p++)
        for (int k = 0; k < 4; k++) {
            vec gradient = load(a + k * c) * load(g + (4 * p + k) * c);
            ahead(g + (4 * p + k) * c);
            store(d + (4 * p + k) * W, gradient + load(b + k * c) * t[p][k] + load(e + k * c));
        }
}

// One row of T_s transposed: spreads d over dz and adds z's products with d to dw (9, 4, W).
static void transposed(const float* z, int out_width, int c, int stride, int row, const float* w, const float* d,
                       float* dz, float* dw) {
    for (int t = 0; t < 9; t++) {
        int shift = (t / 3) * row + (t % 3) * c;
        vec filter[4], sum[4];
        for (int k = 0; k < 4; k++) filter[k] = load(w + (4 * t + k) * W), sum[k] = load(dw + (4 * t + k) * W);
        for (int x = 0; x < out_width; x++) {
            vec value = load(z + shift + x * stride * c), spread = load(dz + shift + x * stride * c);
            for (int k = 0; k < 4; k++) {
                vec gradient = load(d + (4 * x + k) * W);
                sum[k] += value * gradient;
                spread += filter[k] * gradient;
            }
            store(dz + shift + x * stride * c, spread);
        }
        for (int k = 0; k < 4; k++) store(dw + (4 * t + k) * W, sum[k]);
    }
}

// Adds the sums over pixels of f and f·v to sums (2, c).
static inline void add_sums(const float* f, const float* v, int pixels, int c, float* sums) {
    for (int o = 0; o < c; o += W) {
        vec first = load(sums + o), second = load(sums + c + o);
        for (int p = 0; p < pixels; p++) {
            vec value = load(f + p * c + o);
            first += value;
            second += value * load(v + p * c + o);
        }
        store(sums + o, first), store(sums + c + o, second);
    }
}

// dw (outputs, inputs) += the products of d (pixels, outputs) and x (pixels, inputs).
static inline void add_products(const float* d, const float* x, int pixels, int inputs, int outputs, float* dw) {
    for (int o = 0; o < outputs; o += PIXELS)
        in_groups<2>(0, inputs / W, [&](auto vectors, int first) {
            vec sum[PIXELS][vectors.value];
            float* to = dw + o * inputs + first * W;
            for (int r = 0; r < PIXELS; r++)
                for (int j = 0; j < vectors.value; j++) sum[r][j] = load(to + r * inputs + j * W);
            for (int p = 0; p < pixels; p++)
                for (int j = 0; j < vectors.value; j++) {
                    vec value = load(x + p * inputs + (first + j) * W);
                    for (int r = 0; r < PIXELS; r++) sum[r][j] += value * d[p * outputs + o + r];
                }
            for (int r = 0; r < PIXELS; r++)
                for (int j = 0; j < vectors.value; j++) store(to + r * inputs + j * W, sum[r][j]);
        });
}

// y = relu(scale·x + shift)
static inline void activate(const float* x, int pixels, int c, const float* scale, const float* shift, float* y) {
    for (int p = 0; p < pixels; p++)
        for (int o = 0; o < c; o += W)
            store(y + p * c + o, relu(load(x + p * c + o) * load(scale + o) + load(shift + o)));
}

// Calls visit(number of pixels) for an image in parts of which all that belongs to them stays in caches.
template <class Visit>
static inline void in_tiles(int pixels, Visit visit) {
    for (; pixels > 0; pixels -= TILE) visit(pixels < TILE ? pixels : TILE);
}

static int output_pixels(int height, int width, int stride) {
    return ((height - 1) / stride + 1) * ((width - 1) / stride + 1);
}

// Calls visit(first pixel) for every stride-th row of an image.
template <class Visit>
static inline void for_kept_rows(const float* x, int height, int width, int channels, int stride, Visit visit) {
    int row = width * channels;
    for (int y = 0; y < height; y += stride) {
        for (int i = 0; i < row; i += 16) __builtin_prefetch(x + (y + stride) * row + i, 0);
        visit(x + y * row);
    }
}

// What the shortcut does to the channels of a row's pixels, `step` floats apart in `from`. They are taken one by one,
// as the processor's own gathering is no faster; for a whole row first, as vectors can't be read just after their
// parts were written.
static inline void take(const float* __restrict from, int pixels, int step, const int32_t* __restrict source, int count,
                        float* __restrict taken) {
    for (int p = 0; p < pixels; p++, from += step, taken += count)
        for (int i = 0; i < count; i++) taken[i] = from[source[i]];
}
static inline void multiply_add(const float* __restrict scale, const float* __restrict x, const float* __restrict shift,
                                int count, float* __restrict out) {
    for (int i = 0; i < count; i += 16) ahead_to_write(out + i);
    for (int i = 0; i < count; i++) out[i] = scale[i] * x[i] + shift[i];
}
static inline void multiply_sums(const float* f, const float* x, int count, float* __restrict sums) {
    for (int i = 0; i < count; i += 16) ahead(f + i);
    for (int i = 0; i < count; i++) sums[i] += f[i], sums[count + i] += f[i] * x[i];
}

#define EXPORT extern "C" __attribute__((flatten))  // everything inlined: sums of small loops stay in registers

// All functions of the interface take the number of images and scratch memory first; pointers to images stand at the
// first one of this call.
extern "C" int lst2_lanes() { return W; }

// x: (images, height, width, inputs); out: (images, out height, out width, 4c), the residual on entry (may be x).
// scratch: (height + 2) * (width + 2) * c + width * c floats.
EXPORT void lst2_block(int64_t images, float* scratch, const float* x, float* out, int height, int width, int inputs,
                       int c, int stride, const float* w1, const float* b1, const float* w2, const float* b2,
                       const float* w3, const float* b3, float tau) {
    int row = (width + 2) * c;
    float *z = scratch, *y = scratch + (height + 2) * row;
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    clear_border(z, height, width, c);
    for (int64_t n = 0; n < images; n++, out += out_size) {
        for (int r = 0; r < height; r++, x += width * inputs) {
            pointwise(x, width, inputs, c, w1,
                      [=](vec v, int pixel, int o) { store(y + pixel * c + o, relu(v + load(b1 + o))); });
            float* to = z + (r + 1) * row + c;
            pointwise(y, width, c, c, w2,
                      [=](vec v, int pixel, int o) { store(to + pixel * c + o, shrink(v + load(b2 + o), tau)); });
        }
        spatial(z, height, width, c, stride, w3, b3, tau, out, out);
    }
}

// LST-II's shortcut: out (images, out height, out width, outputs) = scale * x[every stride-th pixel, source] + shift.
// scratch: out width * outputs floats.
EXPORT void lst2_shortcut(int64_t images, float* taken, const float* x, float* out, int height, int width, int inputs,
                          int outputs, int stride, const int32_t* source, const float* scale, const float* shift) {
    int kept = (width - 1) / stride + 1;
    for (int64_t n = 0; n < images; n++, x += height * width * inputs)
        for_kept_rows(x, height, width, inputs, stride, [&](const float* from) {
            take(from, kept, stride * inputs, source, outputs, taken);
            for (int p = 0; p < kept; p++, out += outputs)
                multiply_add(scale, taken + p * outputs, shift, outputs, out);
        });
}

// Its sums over each image, (images, 2, outputs): of x and x² (outputs = inputs, gradient = null), or of the gradient
// and gradient·x[source]. scratch: (2 + out width) * outputs floats.
EXPORT void lst2_shortcut_sums(int64_t images, float* scratch, const float* x, const float* gradient, double* sums,
                               int height, int width, int inputs, int outputs, int stride, const int32_t* source) {
    int kept = (width - 1) / stride + 1;
    float *row = scratch, *taken = scratch + 2 * outputs;
    for (int64_t n = 0; n < images; n++, x += height * width * inputs, sums += 2 * outputs) {
        std::memset(sums, 0, sizeof(double) * 2 * outputs);
        for_kept_rows(x, height, width, inputs, stride, [&](const float* from) {
            std::memset(row, 0, sizeof(float) * 2 * outputs);
            if (gradient) take(from, kept, stride * inputs, source, outputs, taken);
            for (int p = 0; p < kept; p++) {
                const float* value = gradient ? taken + p * outputs : from + p * stride * inputs;
                multiply_sums(gradient ? gradient : value, value, outputs, row);
                if (gradient) gradient += outputs;
            }
            for (int i = 0; i < 2 * outputs; i++) sums[i] += row[i];
        });
    }
}

// Its gradient: dx = a·x + b, plus scale·gradient for every output that comes from that channel; 0 at skipped pixels.
// places (outputs/inputs, inputs): those outputs, m a channel. scratch: 2 * out width * outputs floats.
EXPORT void lst2_shortcut_backward(int64_t images, float* scratch, const float* x, const float* gradient, float* dx,
                                   int height, int width, int inputs, int outputs, int stride, const int32_t* places,
                                   const float* scale, const float* a, const float* b) {
    int kept = (width - 1) / stride + 1;
    float *scaled = scratch, *taken = scratch + kept * outputs;
    for (int64_t n = 0; n < images; n++, x += height * width * inputs, dx += height * width * inputs) {
        std::memset(dx, 0, sizeof(float) * height * width * inputs);
        for_kept_rows(x, height, width, inputs, stride, [&](const float* from) {
            for (int i = 0; i < kept * outputs; i += 16) ahead(gradient + i);
            for (int p = 0; p < kept; p++, gradient += outputs)
                for (int i = 0; i < outputs; i++) scaled[p * outputs + i] = scale[i] * gradient[i];
            take(scaled, kept, outputs, places, outputs, taken);
            for (int p = 0; p < kept; p++) {
                float* to = dx + (from - x) + p * stride * inputs;
                multiply_add(a, from + p * stride * inputs, b, inputs, to);
                for (int first = 0; first < outputs; first += inputs)
                    for (int i = 0; i < inputs; i++) to[i] += taken[p * outputs + first + i];
            }
        });
    }
}

// lst2_block from T_c's output on, v (images, height, width, c), with z = shrink(scale·v + shift), BN and ST (without
// scale: shrink(v)). For training, and for inference with a diagonal T_c.
EXPORT void lst2_tail(int64_t images, float* scratch, const float* v, const float* residual, float* out, int height,
                      int width, int c, int stride, const float* scale, const float* shift, const float* w3,
                      const float* b3, float tau) {
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, v += height * width * c, residual += out_size, out += out_size) {
        pad(v, height, width, c, scale, shift, tau, scratch);
        spatial(scratch, height, width, c, stride, w3, b3, tau, residual, out);
    }
}

// Training. BN's statistics of v: sums (images, 2, c) of v and v² over each image. scratch: 2 * c floats.
EXPORT void lst2_sums(int64_t images, float* scratch, const float* v, double* sums, int pixels, int c) {
    for (int64_t n = 0; n < images; n++, v += (int64_t)pixels * c, sums += 2 * c) {
        std::memset(scratch, 0, sizeof(float) * 2 * c);
        add_sums(v, v, pixels, c, scratch);
        for (int i = 0; i < 2 * c; i++) sums[i] = scratch[i];
    }
}

// Of t: sums (images, 2, 4c) of t = T_s z and t² over each image.
EXPORT void lst2_statistics(int64_t images, float* scratch, const float* v, double* sums, int height, int width, int c,
                            int stride, const float* scale, const float* shift, const float* w, float tau) {
    float* partial = scratch + (height + 2) * (width + 2) * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, v += height * width * c, sums += 8 * c) {
        pad(v, height, width, c, scale, shift, tau, scratch);
        accumulate(scratch, height, width, c, stride, w, partial, sums, [](vec t, int) { return t; });
    }
}

// Backward, first pass: g = gradient where out is not 0 (everywhere without threshold), which is the residual's
// gradient too; sums (images, 2, 4c) of g and g·t.
EXPORT void lst2_backward_sums(int64_t images, float* scratch, const float* v, const float* out, const float* gradient,
                               float* g, double* sums, int height, int width, int c, int stride, const float* scale,
                               const float* shift, const float* w, float tau) {
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    float* partial = scratch + (height + 2) * (width + 2) * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, v += height * width * c, sums += 8 * c) {
        pad(v, height, width, c, scale, shift, tau, scratch);
        accumulate(scratch, height, width, c, stride, w, partial, sums, [=](vec, int at) {
            vec value = load(gradient + at);
            ahead(gradient + at), ahead(out + at), ahead_to_write(g + at);
            if (tau > 0) value = load(out + at) != 0.f ? value : vec{};
            store(g + at, value);
            return value;
        });
        out += out_size, gradient += out_size, g += out_size;
    }
}

// Backward, second pass: d = a·g + b·t + e is the gradient of t; from it those of scale·v + shift, dz (0 where z is
// 0, if there is a threshold), and of the filters, dw (images, c/W, 9, 4, W); sums (images, 2, c) of dz and dz·v.
// scratch: 2 * (height + 2) * (width + 2) * c + 4 * W * out width + 2 * c floats.
EXPORT void lst2_backward(int64_t images, float* scratch, const float* v, const float* g, float* dz, float* dw,
                          double* sums, int height, int width, int c, int stride, const float* scale,
                          const float* shift, const float* w, const float* a, const float* b, const float* e,
                          float tau) {
    int row = (width + 2) * c, out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
    float *padded = scratch, *spread = scratch + (height + 2) * row, *d = spread + (height + 2) * row;
    float* partial = d + 4 * W * out_width;
    clear_border(padded, height, width, c);
    int size = height * width * c;
    for (int64_t n = 0; n < images; n++, v += size, dz += size, dw += 36 * c, sums += 2 * c) {
        pad(v, height, width, c, scale, shift, tau, padded);
        std::memset(spread, 0, sizeof(float) * (height + 2) * row);
        std::memset(dw, 0, sizeof(float) * 36 * c);
        std::memset(partial, 0, sizeof(float) * 2 * c);
        for (int y = 0; y < out_height; y++, g += 4 * out_width * c)
            for (int o = 0; o < c; o += W) {
                const float* from = padded + y * stride * row + o;
                float* to = spread + y * stride * row + o;
                in_groups<RESPONSES>(0, out_width, [&](auto group, int x) {
                    gradients<group.value>(from + x * stride * c, c, stride, row, w + 36 * o, g + 4 * x * c + o, a + o,
                                           b + o, e + o, d + 4 * W * x);
                });
                transposed(from, out_width, c, stride, row, w + 36 * o, d, to, dw + 36 * o);
            }
        for (int y = 0; y < height; y++) {
            int inside = (y + 1) * row + c, start = y * width * c;
            for (int i = 0; i < width * c; i += W) {
                vec value = load(spread + inside + i);
                store(dz + start + i, tau > 0 ? (load(padded + inside + i) != 0.f ? value : vec{}) : value);
            }
            add_sums(dz + start, v + start, width, c, partial);
        }
        for (int i = 0; i < 2 * c; i++) sums[i] = partial[i];
    }
}

// BN's gradient: dz = a·dz + b·v + e, in place.
EXPORT void lst2_normalise_backward(int64_t images, float*, const float* v, float* dz, int pixels, int c,
                                    const float* a, const float* b, const float* e) {
    for (int64_t p = 0; p < images * pixels; p++, v += c, dz += c)
        for (int o = 0; o < c; o += W)
            store(dz + o, load(a + o) * load(dz + o) + load(b + o) * load(v + o) + load(e + o));
}

// T_r and T_c: out = W x, or W relu(scale·x + shift); sums (images, 2, outputs) of out and out².
// scratch: TILE * inputs + 2 * outputs floats.
EXPORT void lst2_pointwise(int64_t images, float* scratch, const float* x, float* out, double* sums, int pixels,
                           int inputs, int outputs, const float* w, const float* scale, const float* shift) {
    float *tile = scratch, *partial = scratch + TILE * inputs;
    for (int64_t n = 0; n < images; n++) {
        std::memset(partial, 0, sizeof(float) * 2 * outputs);
        in_tiles(pixels, [&](int count) {
            for (int i = 0; i < count * inputs; i += 16) ahead(x + i);
            if (scale) activate(x, count, inputs, scale, shift, tile);
            pointwise(scale ? tile : x, count, inputs, outputs, w,
                      [=](vec value, int p, int o) { store(out + p * outputs + o, value); });
            add_sums(out, out, count, outputs, partial);
            x += count * inputs, out += count * outputs;
        });
        for (int i = 0; i < 2 * outputs; i++) *sums++ = partial[i];
    }
}

// T_c backward, y = relu(scale·x + shift): from the gradient d of W y that of W, dw (images, c, c), and that of
// scale·x + shift, dx; sums (images, 2, c) of dx and dx·x. w: W transposed. scratch: (TILE + 2) * c floats.
EXPORT void lst2_mix_backward(int64_t images, float* scratch, const float* x, const float* d, float* dx, float* dw,
                              double* sums, int pixels, int c, const float* w, const float* scale, const float* shift) {
    float *y = scratch, *partial = scratch + TILE * c;
    for (int64_t n = 0; n < images; n++, dw += c * c, sums += 2 * c) {
        std::memset(partial, 0, sizeof(float) * 2 * c);
        std::memset(dw, 0, sizeof(float) * c * c);
        in_tiles(pixels, [&](int count) {
            activate(x, count, c, scale, shift, y);
            add_products(d, y, count, c, c, dw);
            pointwise(d, count, c, c, w, [=](vec value, int p, int o) {
                store(dx + p * c + o, load(y + p * c + o) > 0.f ? value : vec{});
            });
            add_sums(dx, x, count, c, partial);
            x += count * c, d += count * c, dx += count * c;
        });
        for (int i = 0; i < 2 * c; i++) sums[i] = partial[i];
    }
}

// T_r backward, y = W x with BN behind it: the gradient of y is d = a·dy + b·y + e; from it that of W, dw (images,
// outputs, inputs), and that of x, added to dx. w: W transposed. scratch: TILE * outputs floats.
EXPORT void lst2_resize_backward(int64_t images, float* d, const float* x, const float* y, const float* dy, float* dx,
                                 float* dw, int pixels, int inputs, int outputs, const float* w, const float* a,
                                 const float* b, const float* e) {
    for (int64_t n = 0; n < images; n++, dw += outputs * inputs) {
        std::memset(dw, 0, sizeof(float) * outputs * inputs);
        in_tiles(pixels, [&](int count) {
            for (int p = 0; p < count; p++)
                for (int o = 0; o < outputs; o += W) {
                    int at = p * outputs + o;
                    store(d + at, load(a + o) * load(dy + at) + load(b + o) * load(y + at) + load(e + o));
                }
            add_products(d, x, count, inputs, outputs, dw);
            pointwise(d, count, outputs, inputs, w, [=](vec value, int p, int i) {
                float* to = dx + p * inputs + i;
                __builtin_prefetch(to + TILE * inputs, 1), __builtin_prefetch(x + p * inputs + i + TILE * inputs, 0);
                store(to, load(to) + value);
            });
            x += count * inputs, dx += count * inputs, y += count * outputs, dy += count * outputs;
        });
    }
}
