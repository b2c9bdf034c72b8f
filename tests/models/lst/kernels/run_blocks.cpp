// Runs the compiled block on the cases of a file, for processors that the tests' own is not. test_processors.py writes the
// file: for each case eight int32, tau, and the arrays in the order of BlockLayer, behind x.
#include "block.h"

#include <cstdio>
#include <vector>

template <class T>
std::vector<T> take(FILE* file, size_t count) {
    std::vector<T> values(count + 16);  // vectors of no values have an address too
    if (fread(values.data(), sizeof(T), count, file) != count) throw "the file is too short";
    return values;
}

int main(int, char** arguments) {
    using Kernel = lst::Block<LST_WIDTH>;
    FILE *in = fopen(arguments[1], "rb"), *out = fopen(arguments[2], "wb");
    int32_t size[8];
    while (fread(size, sizeof size, 1, in) == 1) {
        const int height = size[0], width = size[1], inputs = size[2], c = size[3], stride = size[4], parts = size[7];
        const bool diagonal = size[5], same = size[6];
        const float tau = take<float>(in, 1)[0];
        const auto x = take<float>(in, (size_t)height * width * inputs);
        const auto w1 = take<float>(in, inputs * c), b1 = take<float>(in, c);
        const auto w2 = take<float>(in, diagonal ? c : c * c), b2 = take<float>(in, c);
        const auto w3 = take<float>(in, 36 * c), b3 = take<float>(in, 4 * c);
        const auto source = take<int32_t>(in, same ? 0 : 4 * c);
        const auto scale = take<float>(in, same ? 0 : 4 * c);
        const lst::BlockLayer layer{height,    width,     inputs,    c,         stride,
                                    w1.data(), b1.data(), w2.data(), b2.data(), w3.data(),
                                    b3.data(), diagonal,  same ? nullptr : source.data(), scale.data(), tau};
        const int rows = (height - 1) / stride + 1, columns = (width - 1) / stride + 1;
        std::vector<float> result((size_t)rows * columns * 4 * c), scratch(Kernel::scratch(layer));
        for (int part = 0; part < parts; part++)
            Kernel::run(layer, x.data(), result.data(), scratch.data(), rows * part / parts, rows * (part + 1) / parts);
        fwrite(result.data(), sizeof(float), result.size(), out);
    }
    return fclose(out);
}
