/* Reads a segment of a file that Python wrote, by Normal distributions whose parameters are in a raw
 * array of float32: all means, then all scales. Writes the values as int32.
 *
 *     decode FILE NAME PARAMETERS OUTPUT
 */
#include <stdio.h>
#include <stdlib.h>
#include <torchac.h>

/* All bytes of a file. */
static unsigned char *contents(const char *path, size_t *size) {
  unsigned char *data = NULL;
  FILE *file = fopen(path, "rb");
  long end = -1;
  if (file != NULL && fseek(file, 0, SEEK_END) == 0) end = ftell(file);
  if (end >= 0) {
    *size = (size_t)end;
    data = malloc(*size + 1);
    rewind(file);
    if (data != NULL && fread(data, 1, *size, file) != *size) {
      free(data);
      data = NULL;
    }
  }
  if (file != NULL) fclose(file);
  if (data == NULL) fprintf(stderr, "%s cannot be read\n", path);
  return data;
}

static int save(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  int failed = file == NULL || fwrite(data, 1, size, file) != size;
  if (file != NULL && fclose(file) != 0) failed = 1;
  if (failed) fprintf(stderr, "%s cannot be written\n", path);
  return failed;
}

int main(int argc, char **argv) {
  torchac_error error = {.size = sizeof error};
  torchac_segment segment = {.size = sizeof segment};
  torchac_reader *reader = NULL;
  torchac_model *model = NULL;
  unsigned char *file = NULL, *parameters = NULL;
  int32_t *values = NULL;
  size_t file_size = 0, size = 0, count = 1;
  int i, status = EXIT_FAILURE;

  if (argc != 5) {
    fprintf(stderr, "usage: %s FILE NAME PARAMETERS OUTPUT\n", argv[0]);
    return EXIT_FAILURE;
  }
  file = contents(argv[1], &file_size);
  parameters = contents(argv[3], &size);
  if (file == NULL || parameters == NULL) goto end;
  if (torchac_reader_open(file, file_size, NULL, &reader, &error) != TORCHAC_OK) goto end;
  if (torchac_reader_segment(reader, argv[2], 0, &segment, &error) != TORCHAC_OK) goto end;

  /* The parameters must be there before a size that the file states is believed. */
  for (i = 0; i < segment.ndim; ++i) {
    if (segment.shape[i] != 0 && count > size / (size_t)segment.shape[i]) break;
    count *= (size_t)segment.shape[i];
  }
  if (i < segment.ndim || size != 2 * count * sizeof(float)) {
    fprintf(stderr, "%s has %zu bytes: expected a mean and a scale for each value\n", argv[3], size);
    goto end;
  }
  values = malloc(count * sizeof *values + 1);
  if (values == NULL) goto end;
  {
    const torchac_array to = {values, segment.shape, NULL, segment.ndim, TORCHAC_INT32};
    const torchac_spec spec = {
        .size = sizeof spec,
        .kind = TORCHAC_NORMAL,
        .loc = {parameters, segment.shape, NULL, segment.ndim, TORCHAC_FLOAT32},
        .scale = {parameters + size / 2, segment.shape, NULL, segment.ndim, TORCHAC_FLOAT32}};
    if (torchac_model_create(&spec, &model, &error) != TORCHAC_OK) goto end;
    if (torchac_reader_read(reader, segment.number, model, NULL, &to, &error) != TORCHAC_OK)
      goto end;
  }
  if (save(argv[4], values, count * sizeof *values)) goto end;
  printf("%zu values\n", count);
  status = EXIT_SUCCESS;

end:
  if (error.code != TORCHAC_OK) fprintf(stderr, "%s\n", error.message);
  torchac_model_destroy(model);
  torchac_reader_destroy(reader);
  free(values);
  free(parameters);
  free(file);
  return status;
}
