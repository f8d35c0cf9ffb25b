/* The C interface of torchac: models, streams and files, without Python. docs/c.md explains it.
 *
 * Every function that can fail returns a code, TORCHAC_OK if it succeeded. `error`, which may be
 * NULL, gets the code and a message with the value, its position and what was expected. A call that
 * fails changes nothing, except `error` and room for decoded values. There is no global state. Threads may share a model; an
 * encoder, a decoder, a reader or a writer belongs to one thread at a time.
 *
 * Arrays and bytes stay where they are: models, decoders and readers read from the caller's memory,
 * which must outlive them. What a call returns in a torchac_bytes belongs to the caller, who passes
 * its `data` to torchac_free.
 *
 * A structure whose first member is `size` may grow at its end in later releases: the caller sets
 * `size` to its sizeof, and members that are zero are not given. */
#ifndef TORCHAC_H
#define TORCHAC_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(TORCHAC_BUILDS_SHARED)
#define TORCHAC_EXPORT __declspec(dllexport)
#elif defined(_WIN32) && defined(TORCHAC_SHARED)
#define TORCHAC_EXPORT __declspec(dllimport)
#elif defined(__GNUC__)
#define TORCHAC_EXPORT __attribute__((visibility("default")))
#else
#define TORCHAC_EXPORT
#endif
#ifdef __cplusplus
#define TORCHAC_API extern "C" TORCHAC_EXPORT
#else
#define TORCHAC_API extern TORCHAC_EXPORT
#endif

/* The results of calls. */
enum {
  TORCHAC_OK = 0,
  TORCHAC_INVALID = 1,     /* an argument is not allowed */
  TORCHAC_CORRUPT = 2,     /* a stream or a file is damaged, or was written with another model */
  TORCHAC_NO_MEMORY = 3,   /* there is not enough memory */
  TORCHAC_UNUSABLE = 4,    /* the encoder or the writer has finished, or its output has failed */
  TORCHAC_UNEXPECTED = 5   /* a fault of the library */
};

/* Why a call failed: `message` ends with a zero, and is cut if it is longer. */
typedef struct torchac_error {
  uint32_t size; /* sizeof(torchac_error) */
  int32_t code;
  char message[1016];
} torchac_error;

/* The types of numbers, in the byte order of the machine. A zero says that an array is not given. */
enum {
  TORCHAC_INT8 = 1,
  TORCHAC_INT16 = 2,
  TORCHAC_INT32 = 3,
  TORCHAC_INT64 = 4,
  TORCHAC_UINT8 = 5,
  TORCHAC_UINT16 = 6,
  TORCHAC_UINT32 = 7,
  TORCHAC_UINT64 = 8,
  TORCHAC_FLOAT16 = 9,
  TORCHAC_BFLOAT16 = 10,
  TORCHAC_FLOAT32 = 11,
  TORCHAC_FLOAT64 = 12
};

/* An array of up to 32 dimensions, row by row, as in NumPy. Strides are in bytes, of any sign; zero
 * repeats. Without `strides`, the elements follow one another. Shape and strides are copied. */
typedef struct torchac_array {
  void *data; /* only the arrays that a function says it fills are written to */
  const int64_t *shape;
  const int64_t *strides;
  int32_t ndim;
  int32_t dtype;
} torchac_array;

/* Bytes that a call returned: torchac_free releases `data`. */
typedef struct torchac_bytes {
  uint8_t *data;
  size_t size;
} torchac_bytes;

/* The kinds of models. */
enum {
  TORCHAC_NORMAL = 1,           /* of `loc` and `scale`; with `weights`, mixtures of them */
  TORCHAC_LAPLACE = 2,
  TORCHAC_LOGISTIC = 3,
  TORCHAC_PROBS = 4,            /* categories, with a number for each in the last dimension */
  TORCHAC_LOGITS = 5,
  TORCHAC_BERNOULLI_PROBS = 6,  /* 0 or 1, with the number of 1 */
  TORCHAC_BERNOULLI_LOGITS = 7,
  TORCHAC_CDF = 8,              /* rows of a CDF: floats, or 16-bit integers */
  TORCHAC_TABLES = 9            /* rows of 16-bit integers, each for its own range of values */
};

/* The flags of a model. */
enum {
  TORCHAC_LOW = 1,   /* values are at least `low` */
  TORCHAC_HIGH = 2,  /* values are at most `high` */
  TORCHAC_RAW = 4,   /* rows of floats are taken as they are: a symbol may have no interval */
  TORCHAC_CHECK = 8, /* coding checks all of the rows of a CDF, not only what it reads */
  TORCHAC_CLAMP = 16 /* a symbol outside a row of a CDF is replaced by the nearest one in it */
};

/* A model. Its arrays have the shape of the values, or one that broadcasts to it; weights, numbers
 * and rows have one more dimension, the last one. With an index, the model has K elements, in one
 * dimension, and each value has the element that the index gives. */
typedef struct torchac_spec {
  uint32_t size; /* sizeof(torchac_spec) */
  int32_t kind;
  uint32_t flags;
  int32_t low;
  int32_t high;
  int32_t num_families;
  const int32_t *families; /* of the K components of a mixture, if they differ: `num_families` = K */
  torchac_array loc;       /* of a mixture: (..., K) */
  torchac_array scale;     /* of a mixture: (..., K) */
  torchac_array weights;   /* (..., K), if it is a mixture */
  torchac_array numbers;   /* of categories, of a CDF, of tables */
  torchac_array first;     /* of tables: the integer of symbol 0, in units of 2^shift */
  torchac_array lengths;   /* of tables: symbols in each row; not given: all */
  torchac_array shift;     /* of tables: bits of values that are not in rows; not given: 0 */
} torchac_spec;

/* What to open a file with. */
typedef struct torchac_reader_options {
  uint32_t size;  /* sizeof(torchac_reader_options) */
  uint32_t flags; /* TORCHAC_RECOVER, TORCHAC_VERIFY_ON_READ */
  const uint8_t *model_id; /* as the file was written with */
  size_t model_id_size;
  int64_t max_values; /* the most values of a segment; 0: 2^30 */
  int32_t num_threads; /* the most threads to use; 0: 1 */
} torchac_reader_options;

enum {
  TORCHAC_RECOVER = 1,       /* open a damaged file, with the segments before the damage */
  TORCHAC_VERIFY_ON_READ = 2 /* check the bytes of a segment only when it is read */
};

/* What a file has. */
typedef struct torchac_file_info {
  uint32_t size; /* sizeof(torchac_file_info) */
  uint64_t segments;
  const char *damage; /* what is wrong after the segments; NULL: nothing. Owned by the reader */
} torchac_file_info;

/* A segment of a file. Its name ends with a zero, which is not counted, as a name may hold zeros. */
typedef struct torchac_segment {
  uint32_t size; /* sizeof(torchac_segment) */
  int32_t ndim;
  uint64_t number;
  uint64_t bytes; /* its size in the file */
  uint64_t name_size; /* 0: it has no name */
  char name[256];
  int64_t shape[32];
} torchac_segment;

/* What to write a file with. */
typedef struct torchac_writer_options {
  uint32_t size; /* sizeof(torchac_writer_options) */
  int32_t num_threads; /* the most threads to use; 0: 1 */
  const uint8_t *model_id; /* at most 255 bytes that identify the model */
  size_t model_id_size;
  /* Takes the next bytes of the file; a result other than 0 says that it has failed. NULL: the
   * bytes are kept until torchac_writer_finish. */
  int (*write)(void *context, const uint8_t *data, size_t size);
  void *context;
} torchac_writer_options;

typedef struct torchac_model torchac_model;
typedef struct torchac_encoder torchac_encoder;
typedef struct torchac_decoder torchac_decoder;
typedef struct torchac_reader torchac_reader;
typedef struct torchac_writer torchac_writer;

/* Releases what a call returned, or NULL. */
TORCHAC_API void torchac_free(void *data);

/* A model. Its numbers are checked when values are coded. */
TORCHAC_API int torchac_model_create(const torchac_spec *spec, torchac_model **model, torchac_error *error);
TORCHAC_API void torchac_model_destroy(torchac_model *model);

/* One stream of all values, and back. `index` may be NULL. Values may have any type; decoding fills
 * int32, or int16 with a CDF, without gaps, of the shape that is to be decoded. */
TORCHAC_API int torchac_encode(const torchac_model *model, const torchac_array *index, const torchac_array *values, torchac_bytes *stream, torchac_error *error);
TORCHAC_API int torchac_decode(const torchac_model *model, const torchac_array *index, const uint8_t *stream, size_t size, const torchac_array *values, torchac_error *error);

/* Fills `bits` with the cost of each value. */
TORCHAC_API int torchac_measure(const torchac_model *model, const torchac_array *index, const torchac_array *values, double *bits, torchac_error *error);

/* Streams, step by step: each call codes the same number of values of each. With one stream, values
 * have any shape; with B, (B, ...). `active` has a byte for each stream, 0 if it takes no part in
 * the call; NULL is all. Values of such streams are ignored; decoding fills them with 0. */
TORCHAC_API int torchac_encoder_create(size_t streams, torchac_encoder **encoder, torchac_error *error);
TORCHAC_API int torchac_encoder_encode(torchac_encoder *encoder, const torchac_model *model, const torchac_array *index, const torchac_array *values, const uint8_t *active, torchac_error *error);

/* Writes 16 bits that check all values since the last mark. */
TORCHAC_API int torchac_encoder_mark(torchac_encoder *encoder, const uint8_t *active, torchac_error *error);

/* These fill an array with the bytes of each stream: those that no later value can change, which
 * are taken out; and the rest, which ends the use of the encoder. */
TORCHAC_API int torchac_encoder_drain(torchac_encoder *encoder, torchac_bytes *streams, torchac_error *error);
TORCHAC_API int torchac_encoder_finish(torchac_encoder *encoder, torchac_bytes *streams, torchac_error *error);

/* Fills an array with the length of each stream, in bits, if it ended now. */
TORCHAC_API int torchac_encoder_num_bits(const torchac_encoder *encoder, uint64_t *bits, torchac_error *error);
TORCHAC_API void torchac_encoder_destroy(torchac_encoder *encoder);

/* `streams` has the bytes of each stream, which must outlive the decoder. */
TORCHAC_API int torchac_decoder_create(const torchac_bytes *streams, size_t count, torchac_decoder **decoder, torchac_error *error);
TORCHAC_API int torchac_decoder_decode(torchac_decoder *decoder, const torchac_model *model, const torchac_array *index, const torchac_array *values, const uint8_t *active, torchac_error *error);

/* Reads a mark, where one was written. */
TORCHAC_API int torchac_decoder_mark(torchac_decoder *decoder, const uint8_t *active, torchac_error *error);

/* Adds bytes, which are copied, to the end of a stream. */
TORCHAC_API int torchac_decoder_feed(torchac_decoder *decoder, size_t stream, const uint8_t *data, size_t size, torchac_error *error);

/* Checks that all streams have been decoded whole. */
TORCHAC_API int torchac_decoder_finish(const torchac_decoder *decoder, torchac_error *error);
TORCHAC_API void torchac_decoder_destroy(torchac_decoder *decoder);

/* A file in memory, which must outlive the reader. `options` may be NULL. */
TORCHAC_API int torchac_reader_open(const uint8_t *data, size_t size, const torchac_reader_options *options, torchac_reader **reader, torchac_error *error);
TORCHAC_API int torchac_reader_info(const torchac_reader *reader, torchac_file_info *info, torchac_error *error);

/* Describes the segment with a name, or if that is NULL, with a number. */
TORCHAC_API int torchac_reader_segment(const torchac_reader *reader, const char *name, uint64_t number, torchac_segment *segment, torchac_error *error);

/* Fills `values`, int32 of the segment's shape without gaps, by the model that it was written with. */
TORCHAC_API int torchac_reader_read(const torchac_reader *reader, uint64_t number, const torchac_model *model, const torchac_array *index, const torchac_array *values, torchac_error *error);
TORCHAC_API void torchac_reader_destroy(torchac_reader *reader);

/* A file to be written, to memory or by a function. `options` may be NULL. */
TORCHAC_API int torchac_writer_create(const torchac_writer_options *options, torchac_writer **writer, torchac_error *error);

/* Adds a segment. `name`, which may be NULL, ends with a zero. */
TORCHAC_API int torchac_writer_write(torchac_writer *writer, const char *name, const torchac_model *model, const torchac_array *index, const torchac_array *values, torchac_error *error);

/* Ends the file. `file`, which is NULL if a function took the bytes, gets them. */
TORCHAC_API int torchac_writer_finish(torchac_writer *writer, torchac_bytes *file, torchac_error *error);
TORCHAC_API void torchac_writer_destroy(torchac_writer *writer);

/* Rounds floats to integers, in steps, so that torchac_settled gives the same from numbers that are
 * off by at most `tolerance`. Both fill `numbers`, int32 without gaps, of the shape of `x`. */
TORCHAC_API int torchac_settle(const torchac_array *x, double step, double tolerance, const torchac_array *numbers, torchac_bytes *shifts, torchac_error *error);
TORCHAC_API int torchac_settled(const torchac_array *x, const uint8_t *shifts, size_t size, double step, const torchac_array *numbers, torchac_error *error);

#endif
