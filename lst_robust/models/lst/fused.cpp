// The LST-II bottleneck for inference in one pass over each image, BN folded, float32, channels last.
//
//   z = shrink(b2 + W2 relu(b1 + W1 x))          1x1 convolutions T_r and T_c
//   out = shrink(residual + b3 + T_s z)          four 3x3 depthwise filters a channel, k-major, stride 1 or 2
//
// Kept small on purpose: GCC/Clang vectors of 8 floats, no intrinsics, no OpenMP (Python splits the images over
// threads; ctypes releases the GIL). fused.py builds it and documents the packing of the weights.

#include <cstdint>
#include <cstring>
#include <type_traits>

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));

static inline v8 load(const float* p) { return *(const v8*)p; }
static inline void store(float* p, v8 v) { *(v8*)p = v; }
static inline v8 relu(v8 v) { return v > 0.f ? v : v - v; }  // v - v keeps a NaN
static inline v8 shrink(v8 v, float tau) {
    v8 high = v8{} + tau, low = v8{} - tau;
    v8 inner = v > low ? v : low;
    return v - (inner < high ? inner : high);
}

// P pixels x 16 outputs in registers: out[p] = bias + sum_i w[i] x[p][i], with w packed as (inputs, 16).
template <int P>
static inline void multiply(const float* x, int inputs, const float* w, const float* bias, v8 out[P][2]) {
    for (int p = 0; p < P; p++) out[p][0] = load(bias), out[p][1] = load(bias + 8);
    for (int i = 0; i < inputs; i++) {
        v8 w0 = load(w + 16 * i), w1 = load(w + 16 * i + 8);
        for (int p = 0; p < P; p++) {
            float value = x[p * inputs + i];
            out[p][0] += w0 * value;
            out[p][1] += w1 * value;
        }
    }
}

const int BLOCK = 6, TILE = 24;  // pixels in registers; pixels whose y stays in the first-level cache

template <int P>
static inline void resize(const float* x, int inputs, int c, const float* w, const float* bias, float* y) {
    for (int o = 0; o < c; o += 16) {
        v8 out[P][2];
        multiply<P>(x, inputs, w + o * inputs, bias + o, out);
        for (int p = 0; p < P; p++) store(y + p * c + o, relu(out[p][0])), store(y + p * c + o + 8, relu(out[p][1]));
    }
}

// pixel: number of the first one in the image; z: padded image of (height + 2, width + 2, c)
template <int P>
static inline void channels(const float* y, int c, const float* w, const float* bias, float tau, float* z, int pixel,
                            int width) {
    for (int o = 0; o < c; o += 16) {
        v8 out[P][2];
        multiply<P>(y, c, w + o * c, bias + o, out);
        for (int p = 0; p < P; p++) {
            int row = (pixel + p) / width, column = (pixel + p) % width;
            float* to = z + ((row + 1) * (width + 2) + column + 1) * c + o;
            store(to, shrink(out[p][0], tau)), store(to + 8, shrink(out[p][1], tau));
        }
    }
}

static void clear_border(float* z, int height, int width, int c) {
    int row = (width + 2) * c;
    for (int i = 0; i < row; i++) z[i] = z[(height + 1) * row + i] = 0;
    for (int y = 1; y <= height; y++)
        for (int i = 0; i < c; i++) z[y * row + i] = z[y * row + (width + 1) * c + i] = 0;
}

// T_s at P neighbouring output pixels: 8 channels, 4 filters. z: padded; w: (9, 4, 8).
template <int P>
static inline void respond(const float* z, int stride, int row, int c, const float* w, v8 sum[P][4]) {
    for (int k = 0; k < 4; k++)
        for (int p = 0; p < P; p++) sum[p][k] = v8{};
    for (int t = 0; t < 9; t++) {
        const float* from = z + (t / 3) * row + (t % 3) * c;
        for (int p = 0; p < P; p++) {
            v8 value = load(from + p * stride * c);
            for (int k = 0; k < 4; k++) sum[p][k] += load(w + (4 * t + k) * 8) * value;
        }
    }
}

// Calls call(group size, first) for a row in groups of 3, and of 2 rather than leaving one: fewer than 8 sums at a time
// wait for each other.
template <class Call>
static inline void in_groups(int count, Call call) {
    for (int x = 0; x < count;) {
        int left = count - x;
        if (left == 1) call(std::integral_constant<int, 1>(), x), x += 1;
        else if (left == 2 || left == 4) call(std::integral_constant<int, 2>(), x), x += 2;
        else call(std::integral_constant<int, 3>(), x), x += 3;
    }
}

// Calls visit(four responses, first channel, pixel) for all of an image, and end(first channel) after each row.
template <class Visit, class End>
static inline void for_responses(const float* z, int height, int width, int c, int stride, const float* w, Visit visit,
                                 End end) {
    int row = (width + 2) * c, out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
    for (int y = 0; y < out_height; y++)
        for (int o = 0; o < c; o += 8) {
            const float* from = z + y * stride * row + o;
            in_groups(out_width, [&](auto group, int x) {
                v8 sum[group.value][4];
                respond<group.value>(from + x * stride * c, stride, row, c, w + 36 * o, sum);
                for (int p = 0; p < group.value; p++) visit(sum[p], o, y * out_width + x + p);
            });
            end(o);
        }
}

// out = shrink(residual + bias + T_s z); residual and out may be the same.
static void spatial(const float* z, int height, int width, int c, int stride, const float* w, const float* bias,
                    float tau, const float* residual, float* out) {
    auto finish = [=](v8* t, int o, int pixel) {
        for (int k = 0; k < 4; k++) {
            int at = (4 * pixel + k) * c + o;
            store(out + at, shrink(load(residual + at) + load(bias + k * c + o) + t[k], tau));
        }
    };
    for_responses(z, height, width, c, stride, w, finish, [](int) {});
}

// z with its border: the image in the middle of (height + 2, width + 2, c), thresholded on the way if tau > 0.
static void pad(const float* v, int height, int width, int c, float tau, float* z) {
    for (int y = 0; y < height; y++, v += width * c) {
        float* to = z + ((y + 1) * (width + 2) + 1) * c;
        for (int i = 0; i < width * c; i += 8) store(to + i, shrink(load(v + i), tau));
    }
}

// Sums (2, 4c) of f and f·t over an image, with f = factor(t, place of t's first channel in the output): first of each
// row, then of the rows (partial: 8c floats), in double only over images.
template <class Factor>
static inline void accumulate(const float* z, int height, int width, int c, int stride, const float* w, float* partial,
                              double* sums, Factor factor) {
    std::memset(partial, 0, sizeof(float) * 8 * c);
    v8 first[4] = {}, second[4] = {};
    auto add = [&](v8* t, int o, int pixel) {
        for (int k = 0; k < 4; k++) {
            v8 f = factor(t[k], (4 * pixel + k) * c + o);
            first[k] += f;
            second[k] += f * t[k];
        }
    };
    auto end = [&](int o) {
        for (int k = 0; k < 4; k++) {
            float *f = partial + k * c + o, *ft = f + 4 * c;
            store(f, load(f) + first[k]), store(ft, load(ft) + second[k]);
            first[k] = second[k] = v8{};
        }
    };
    for_responses(z, height, width, c, stride, w, add, end);
    for (int i = 0; i < 8 * c; i++) sums[i] = partial[i];
}

// d (P, 4, 8) = a·g + b·t + e for P neighbouring pixels and 8 channels.
template <int P>
static inline void gradients(const float* z, int c, int stride, int row, const float* w, const float* g, const float* a,
                             const float* b, const float* e, float* d) {
    v8 t[P][4];
    respond<P>(z, stride, row, c, w, t);
    for (int p = 0; p < P; p++)
        for (int k = 0; k < 4; k++) {
            v8 gradient = load(a + k * c) * load(g + (4 * p + k) * c);
            store(d + (4 * p + k) * 8, gradient + load(b + k * c) * t[p][k] + load(e + k * c));
        }
}

// One row of T_s transposed: spreads d over dz and adds z's products with d to dw (9, 4, 8).
static void transposed(const float* z, int out_width, int c, int stride, int row, const float* w, const float* d,
                       float* dz, float* dw) {
    for (int t = 0; t < 9; t++) {
        int shift = (t / 3) * row + (t % 3) * c;
        v8 filter[4], sum[4];
        for (int k = 0; k < 4; k++) filter[k] = load(w + (4 * t + k) * 8), sum[k] = load(dw + (4 * t + k) * 8);
        for (int x = 0; x < out_width; x++) {
            v8 value = load(z + shift + x * stride * c), spread = load(dz + shift + x * stride * c);
            for (int k = 0; k < 4; k++) {
                v8 gradient = load(d + (4 * x + k) * 8);
                sum[k] += value * gradient;
                spread += filter[k] * gradient;
            }
            store(dz + shift + x * stride * c, spread);
        }
        for (int k = 0; k < 4; k++) store(dw + (4 * t + k) * 8, sum[k]);
    }
}

static int output_pixels(int height, int width, int stride) {
    return ((height - 1) / stride + 1) * ((width - 1) / stride + 1);
}

// Calls visit(pixel, whether it is the last of its row) for every stride-th pixel of an image.
template <class Visit>
static inline void for_kept_pixels(const float* x, int height, int width, int channels, int stride, Visit visit) {
    for (int y = 0; y < height; y += stride)
        for (int column = 0; column < width; column += stride)
            visit(x + (y * width + column) * channels, column + stride >= width);
}

// All functions of the interface take the number of images and scratch memory first; pointers to images stand at the
// first one of this call.
extern "C" {

// x: (images, height, width, inputs); out: (images, out height, out width, 4c), the residual on entry (may be x).
// scratch: (height + 2) * (width + 2) * c + TILE * c floats.
void lst2_block(int64_t images, float* scratch, const float* x, float* out, int height, int width, int inputs, int c,
                int stride, const float* w1, const float* b1, const float* w2, const float* b2, const float* w3,
                const float* b3, float tau) {
    float *z = scratch, *y = scratch + (int64_t)(height + 2) * (width + 2) * c;
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    int pixels = height * width;
    clear_border(z, height, width, c);
    for (int64_t n = 0; n < images; n++, x += (int64_t)pixels * inputs, out += out_size) {
        for (int start = 0; start < pixels; start += TILE) {
            int count = pixels - start < TILE ? pixels - start : TILE, p = 0;
            const float* from = x + (int64_t)start * inputs;
            for (; p + BLOCK <= count; p += BLOCK) resize<BLOCK>(from + p * inputs, inputs, c, w1, b1, y + p * c);
            for (; p < count; p++) resize<1>(from + p * inputs, inputs, c, w1, b1, y + p * c);
            for (p = 0; p + BLOCK <= count; p += BLOCK)
                channels<BLOCK>(y + p * c, c, w2, b2, tau, z, start + p, width);
            for (; p < count; p++) channels<1>(y + p * c, c, w2, b2, tau, z, start + p, width);
        }
        spatial(z, height, width, c, stride, w3, b3, tau, out, out);
    }
}

// LST-II's shortcut: out (images, out height, out width, outputs) = scale * x[every stride-th pixel, source] + shift.
void lst2_shortcut(int64_t images, float*, const float* x, float* out, int height, int width, int inputs, int outputs,
                   int stride, const int32_t* source, const float* scale, const float* shift) {
    for (int64_t n = 0; n < images; n++, x += height * width * inputs)
        for_kept_pixels(x, height, width, inputs, stride, [&](const float* from, bool) {
            for (int i = 0; i < outputs; i++) out[i] = from[source[i]] * scale[i] + shift[i];
            out += outputs;
        });
}

// Its sums over each image, (images, 2, outputs): of x and x² (outputs = inputs, gradient = null), or of the gradient
// and gradient·x[source]. scratch: 2 * outputs floats.
void lst2_shortcut_sums(int64_t images, float* scratch, const float* x, const float* gradient, double* sums, int height,
                        int width, int inputs, int outputs, int stride, const int32_t* source) {
    std::memset(scratch, 0, sizeof(float) * 2 * outputs);
    for (int64_t n = 0; n < images; n++, x += height * width * inputs, sums += 2 * outputs) {
        std::memset(sums, 0, sizeof(double) * 2 * outputs);
        for_kept_pixels(x, height, width, inputs, stride, [&](const float* from, bool row_ends) {
            for (int i = 0; i < outputs; i++) {
                float value = from[source[i]], factor = gradient ? gradient[i] : value;
                scratch[i] += factor;
                scratch[outputs + i] += factor * value;
            }
            if (gradient) gradient += outputs;
            if (row_ends)
                for (int i = 0; i < 2 * outputs; i++) sums[i] += scratch[i], scratch[i] = 0;
        });
    }
}

// Its gradient: dx = a·x + b, plus scale·gradient for every output that comes from that channel; 0 at skipped pixels.
void lst2_shortcut_backward(int64_t images, float*, const float* x, const float* gradient, float* dx, int height,
                            int width, int inputs, int outputs, int stride, const int32_t* source, const float* scale,
                            const float* a, const float* b) {
    for (int64_t n = 0; n < images; n++, x += height * width * inputs, dx += height * width * inputs) {
        std::memset(dx, 0, sizeof(float) * height * width * inputs);
        for_kept_pixels(x, height, width, inputs, stride, [&](const float* from, bool) {
            float* to = dx + (from - x);
            for (int i = 0; i < inputs; i++) to[i] = a[i] * from[i] + b[i];
            for (int i = 0; i < outputs; i++) to[source[i]] += scale[i] * gradient[i];
            gradient += outputs;
        });
    }
}

// lst2_block from T_c's output on, v (images, height, width, c), ST on it included (input_tau = 0: done already). For
// training, and for wide layers, whose 1x1 convolutions a library does better over the whole batch.
void lst2_tail(int64_t images, float* scratch, const float* v, const float* residual, float* out, int height, int width,
               int c, int stride, const float* w3, const float* b3, float input_tau, float tau) {
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, v += height * width * c, residual += out_size, out += out_size) {
        pad(v, height, width, c, input_tau, scratch);
        spatial(scratch, height, width, c, stride, w3, b3, tau, residual, out);
    }
}

// Training, first pass: sums (images, 2, 4c) of t = T_s z and t² over each image, for BN's statistics.
void lst2_statistics(int64_t images, float* scratch, const float* z, double* sums, int height, int width, int c, int stride,
                     const float* w) {
    float* partial = scratch + (height + 2) * (width + 2) * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, z += height * width * c, sums += 8 * c) {
        pad(z, height, width, c, 0, scratch);
        accumulate(scratch, height, width, c, stride, w, partial, sums, [](v8 t, int) { return t; });
    }
}

// Backward, first pass: g = gradient where out is not 0 (everywhere without threshold), which is the residual's
// gradient too; sums (images, 2, 4c) of g and g·t.
void lst2_backward_sums(int64_t images, float* scratch, const float* z, const float* out, const float* gradient, float* g,
                        double* sums, int height, int width, int c, int stride, const float* w, float tau) {
    int64_t out_size = (int64_t)output_pixels(height, width, stride) * 4 * c;
    float* partial = scratch + (height + 2) * (width + 2) * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, z += height * width * c, sums += 8 * c) {
        pad(z, height, width, c, 0, scratch);
        accumulate(scratch, height, width, c, stride, w, partial, sums, [=](v8, int at) {
            v8 value = load(gradient + at);
            if (tau > 0) value = load(out + at) != 0.f ? value : v8{};
            store(g + at, value);
            return value;
        });
        out += out_size, gradient += out_size, g += out_size;
    }
}

// Backward, second pass: d = a·g + b·t + e is the gradient of t; from it those of z (where z is not 0, or everywhere
// without threshold) and of the filters, dw (images, c/8, 9, 4, 8).
// scratch: 2 * (height + 2) * (width + 2) * c + 32 * out width floats.
void lst2_backward(int64_t images, float* scratch, const float* z, const float* g, float* dz, float* dw, int height,
                   int width, int c, int stride, const float* w, const float* a, const float* b, const float* e,
                   float tau) {
    int row = (width + 2) * c, out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
    float *padded = scratch, *spread = scratch + (height + 2) * row, *d = spread + (height + 2) * row;
    clear_border(padded, height, width, c);
    for (int64_t n = 0; n < images; n++, z += height * width * c, dz += height * width * c, dw += 36 * c) {
        pad(z, height, width, c, 0, padded);
        std::memset(spread, 0, sizeof(float) * (height + 2) * row);
        std::memset(dw, 0, sizeof(float) * 36 * c);
        for (int y = 0; y < out_height; y++, g += 4 * out_width * c)
            for (int o = 0; o < c; o += 8) {
                const float* from = padded + y * stride * row + o;
                float* to = spread + y * stride * row + o;
                in_groups(out_width, [&](auto group, int x) {
                    gradients<group.value>(from + x * stride * c, c, stride, row, w + 36 * o, g + 4 * x * c + o, a + o,
                                           b + o, e + o, d + 32 * x);
                });
                transposed(from, out_width, c, stride, row, w + 36 * o, d, to, dw + 36 * o);
            }
        for (int y = 0; y < height; y++) {
            const float* from = spread + ((y + 1) * (width + 2) + 1) * c;
            int start = y * width * c;
            for (int i = 0; i < width * c; i += 8) {
                v8 value = load(from + i);
                store(dz + start + i, tau > 0 ? (load(z + start + i) != 0.f ? value : v8{}) : value);
            }
        }
    }
}
}
