// The LST-II bottleneck for inference in one pass over each image, BN folded, float32, channels last.
//
//   z = shrink(b2 + W2 relu(b1 + W1 x))          1x1 convolutions T_r and T_c
//   out = shrink(residual + b3 + T_s z)          four 3x3 depthwise filters a channel, k-major, stride 1 or 2
//
// Kept small on purpose: GCC/Clang vectors of 8 floats, no intrinsics, no OpenMP (Python splits the images over
// threads; ctypes releases the GIL). fused.py builds it and documents the packing of the weights.

#include <cstdint>

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

// P neighbouring output pixels, 8 channels, 4 filters. w: (9, 4, 8); out holds the residual and receives the result.
template <int P>
static inline void filter(const float* z, int stride, int row, int c, const float* w, const float* bias, float tau,
                          float* out) {
    v8 sum[P][4];
    for (int k = 0; k < 4; k++)
        for (int p = 0; p < P; p++) sum[p][k] = load(bias + k * c);
    for (int t = 0; t < 9; t++) {
        const float* from = z + (t / 3) * row + (t % 3) * c;
        for (int p = 0; p < P; p++) {
            v8 value = load(from + p * stride * c);
            for (int k = 0; k < 4; k++) sum[p][k] += load(w + (4 * t + k) * 8) * value;
        }
    }
    for (int p = 0; p < P; p++)
        for (int k = 0; k < 4; k++) {
            float* to = out + (4 * p + k) * c;
            store(to, shrink(load(to) + sum[p][k], tau));
        }
}

static void spatial(const float* z, int height, int width, int c, int stride, const float* w, const float* bias,
                    float tau, float* out) {
    int row = (width + 2) * c, out_width = (width - 1) / stride + 1, out_height = (height - 1) / stride + 1;
    for (int y = 0; y < out_height; y++)
        for (int o = 0; o < c; o += 8) {
            const float* from = z + y * stride * row + o;
            float* to = out + y * out_width * 4 * c + o;
            int x = 0;
            for (; x + 3 <= out_width; x += 3)
                filter<3>(from + x * stride * c, stride, row, c, w + 36 * o, bias + o, tau, to + x * 4 * c);
            for (; x < out_width; x++)
                filter<1>(from + x * stride * c, stride, row, c, w + 36 * o, bias + o, tau, to + x * 4 * c);
        }
}

extern "C" {

// x: (images, height, width, inputs); out: (images, out height, out width, 4c), the residual on entry (may be x).
// scratch: (height + 2) * (width + 2) * c + TILE * c floats.
void lst2_block(const float* x, float* out, float* scratch, int64_t images, int height, int width, int inputs, int c,
                int stride, const float* w1, const float* b1, const float* w2, const float* b2, const float* w3,
                const float* b3, float tau) {
    float *z = scratch, *y = scratch + (int64_t)(height + 2) * (width + 2) * c;
    int64_t out_size = (int64_t)((height - 1) / stride + 1) * ((width - 1) / stride + 1) * 4 * c;
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
        spatial(z, height, width, c, stride, w3, b3, tau, out);
    }
}

// LST-II's shortcut: out (images, out height, out width, outputs) = scale * x[every stride-th pixel, source] + shift.
void lst2_shortcut(const float* x, float* out, float*, int64_t images, int height, int width, int inputs, int outputs,
                   int stride, const int32_t* source, const float* scale, const float* shift) {
    for (int64_t n = 0; n < images; n++, x += (int64_t)height * width * inputs)
        for (int y = 0; y < height; y += stride)
            for (int column = 0; column < width; column += stride, out += outputs) {
                const float* from = x + (int64_t)(y * width + column) * inputs;
                for (int i = 0; i < outputs; i++) out[i] = from[source[i]] * scale[i] + shift[i];
            }
}

// lst2_block from T_c's output before ST on: v (images, height, width, c). For wide layers, whose 1x1 convolutions a
// library does better over the whole batch.
void lst2_tail(const float* v, float* out, float* scratch, int64_t images, int height, int width, int c, int stride,
               const float* w3, const float* b3, float tau) {
    int64_t out_size = (int64_t)((height - 1) / stride + 1) * ((width - 1) / stride + 1) * 4 * c;
    clear_border(scratch, height, width, c);
    for (int64_t n = 0; n < images; n++, out += out_size) {
        for (int y = 0; y < height; y++, v += width * c) {
            float* to = scratch + ((y + 1) * (width + 2) + 1) * c;
            for (int i = 0; i < width * c; i += 8) store(to + i, shrink(load(v + i), tau));
        }
        spatial(scratch, height, width, c, stride, w3, b3, tau, out);
    }
}
}
