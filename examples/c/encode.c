/* Encodes a smooth picture, each row by the row above it, step by step, and writes the stream.
 * docs/c.md decodes it in Python.
 *
 *     encode OUTPUT
 */
#include <stdio.h>
#include <stdlib.h>
#include <torchac.h>

enum { HEIGHT = 48, WIDTH = 64 };

int main(int argc, char **argv) {
  static int32_t picture[HEIGHT][WIDTH];
  static const int32_t no_row[WIDTH];
  const float deviation = 2.5f;
  const int64_t width = WIDTH;
  torchac_error error = {.size = sizeof error};
  torchac_encoder *encoder = NULL;
  torchac_bytes stream = {NULL, 0};
  FILE *file = NULL;
  int x, y, status = EXIT_FAILURE;

  if (argc != 2) {
    fprintf(stderr, "usage: %s OUTPUT\n", argv[0]);
    return EXIT_FAILURE;
  }
  for (y = 0; y < HEIGHT; ++y)
    for (x = 0; x < WIDTH; ++x) picture[y][x] = (x * x + 3 * y * y + 5 * x * y) / 64 % 256;

  if (torchac_encoder_create(1, &encoder, &error) != TORCHAC_OK) goto end;
  for (y = 0; y < HEIGHT; ++y) {
    /* The mean of a value is the one above it, and all have the same scale. */
    const int32_t *above = y > 0 ? picture[y - 1] : no_row;
    const torchac_spec spec = {.size = sizeof spec,
                               .kind = TORCHAC_LAPLACE,
                               .flags = TORCHAC_LOW | TORCHAC_HIGH,
                               .low = 0,
                               .high = 255,
                               .loc = {(void *)above, &width, NULL, 1, TORCHAC_INT32},
                               .scale = {(void *)&deviation, NULL, NULL, 0, TORCHAC_FLOAT32}};
    const torchac_array row = {picture[y], &width, NULL, 1, TORCHAC_INT32};
    torchac_model *model = NULL;
    int code;
    if (torchac_model_create(&spec, &model, &error) != TORCHAC_OK) goto end;
    code = torchac_encoder_encode(encoder, model, NULL, &row, NULL, &error);
    torchac_model_destroy(model);
    if (code != TORCHAC_OK) goto end;
  }
  if (torchac_encoder_mark(encoder, NULL, &error) != TORCHAC_OK) goto end;
  if (torchac_encoder_finish(encoder, &stream, &error) != TORCHAC_OK) goto end;

  file = fopen(argv[1], "wb");
  if (file == NULL || fwrite(stream.data, 1, stream.size, file) != stream.size ||
      fclose(file) != 0) {
    fprintf(stderr, "%s cannot be written\n", argv[1]);
    goto end;
  }
  printf("%d values in %zu bytes\n", HEIGHT * WIDTH, stream.size);
  status = EXIT_SUCCESS;

end:
  if (error.code != TORCHAC_OK) fprintf(stderr, "%s\n", error.message);
  torchac_free(stream.data);
  torchac_encoder_destroy(encoder);
  return status;
}
