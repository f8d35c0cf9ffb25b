// The rule for what goes the quick way: which arguments of a call are read here, in C++ and under
// the GIL. All others are left to the Python package, which takes any argument and explains what is
// wrong; it then starts anew, because the quick way has changed nothing.
//
// Read are exact types only: torch.Tensor and Parameter on the CPU, numpy.ndarray, int and float;
// at most six dimensions, and few elements, because other threads wait; and nothing while a mode of
// torch is active, which may give a call another meaning.
//
// torch has a table of C functions to exchange tensors from release 2.10 on, with which this module
// reads tensors although it does not link torch. They check nothing. So, of each tensor:
// - is_neg: the memory of a lazily negated tensor has the negatives of its elements, and a tensor
//   may become such a one by an assignment to `data`.
// - The elements must lie in the storage, as it is now: it may have been freed or shrunk, and views
//   stay as they were. torch itself refuses the address of a storage that has none, like that of
//   zero tensors and functional ones.
// - dtype, where there are eight bits: uint4 and its like pass as uint8.
// `is_neg` releases the GIL, and the first look at a storage makes an object, which may start the
// garbage collector, so both may run any code. They come first, for all arguments of a call. From
// then on nothing but this file and the core runs, until the elements have been read.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "arrays.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"

namespace torchac::python::quick {

// The most values of a call. Coding them takes about as long as the checks of the Python package,
// which hold the GIL too; more are coded without it.
inline constexpr std::int64_t kMostValues = 512;
// The most numbers that are read for them.
inline constexpr std::int64_t kMostNumbers = std::int64_t{1} << 16;
inline constexpr std::size_t kMaxDimensions = 6;

// DLPack 1, as far as it is used: names and order are those of dlpack.h.
struct DlTensor {
  void* data;
  std::int32_t device_type;
  std::int32_t device_id;
  std::int32_t ndim;
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements
  std::uint64_t byte_offset;
};
struct DlManaged {
  std::uint32_t major, minor;
  void* context;
  void (*deleter)(DlManaged*);
  std::uint64_t flags;
  DlTensor tensor;
};
struct DlExchange {
  std::uint32_t major, minor;
  DlExchange* previous;
  void* allocate;
  void* managed_from_object;
  int (*managed_to_object)(DlManaged* tensor, void** object);
  int (*tensor_from_object)(void* object, DlTensor* tensor);
};
enum : std::uint8_t { kDlInt, kDlUint, kDlFloat, kDlBfloat = 4, kDlBool = 6 };
inline constexpr std::int32_t kDlCpu = 1;

// Owns a reference to an object, which may be null.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* const before = std::exchange(object_, std::exchange(other.object_, nullptr));
    Py_XDECREF(before);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  static Ref to(PyObject* borrowed) { return Ref(Py_XNewRef(borrowed)); }
  [[nodiscard]] PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// A method of torch without arguments, called without Python's dispatch, which takes as long.
class Method {
 public:
  Method() = default;
  Method(const py::object& type, const char* name)
      : object_(py::object(type.attr(name)).release().ptr()) {  // for ever
    if (Py_TYPE(object_) != &PyMethodDescr_Type) return;
    const PyMethodDef& method = *reinterpret_cast<PyMethodDescrObject*>(object_)->d_method;
    if (method.ml_flags == METH_NOARGS) function_ = method.ml_meth;
  }

  // `self` must be of that type.
  PyObject* operator()(PyObject* self) const {
    return function_ != nullptr ? function_(self, nullptr) : PyObject_CallOneArg(object_, self);
  }

 private:
  PyObject* object_ = nullptr;
  PyCFunction function_ = nullptr;
};

// What is known of torch and NumPy. It lives as long as the process.
struct Torch {
  bool enabled = false;
  const DlExchange* exchange = nullptr;
  PyTypeObject *tensor = nullptr, *parameter = nullptr, *storage = nullptr, *array = nullptr;
  PyObject *function_modes = nullptr, *dispatch_modes = nullptr;  // functions
  Method is_neg, untyped_storage, nbytes, data_ptr;
  PyObject *dtype = nullptr, *int8 = nullptr, *uint8 = nullptr;
};
inline Torch torch;
inline std::uint64_t calls = 0;  // that went the quick way

// Fills the table, or, for None, empties it. Without a GIL another thread could free elements while
// they are read, so then it stays empty.
inline void use_torch([[maybe_unused]] const py::object& module) {
  torch = {};
#ifndef Py_GIL_DISABLED
  if (module.is_none()) return;
  // It is kept for ever.
  const auto keep = [](const py::object& object) { return py::object(object).release().ptr(); };
  const auto type = [&](const py::object& of) { return reinterpret_cast<PyTypeObject*>(keep(of)); };
  const py::object internal = module.attr("_C");
  const py::object none = py::none();
  const py::object function_modes = py::getattr(internal, "_len_torch_function_stack", none);
  const py::object dispatch_modes = py::getattr(internal, "_len_torch_dispatch_stack", none);
  if (function_modes.is_none() || dispatch_modes.is_none()) return;  // an old release
  torch.function_modes = keep(function_modes);
  torch.dispatch_modes = keep(dispatch_modes);
  torch.array = type(py::module_::import("numpy").attr("ndarray"));
  torch.enabled = true;
  constexpr auto kTable = "__dlpack_c_exchange_api__";
  const py::object tensor = module.attr("Tensor");
  if (!py::hasattr(tensor, kTable)) return;
  const py::object capsule = tensor.attr(kTable);
  if (PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api") == 0) return;
  const auto* exchange =
      static_cast<const DlExchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (exchange->major != 1 || exchange->managed_to_object == nullptr ||
      exchange->tensor_from_object == nullptr)
    return;
  const py::object storage = module.attr("UntypedStorage");
  torch.is_neg = Method(tensor, "is_neg");
  torch.untyped_storage = Method(tensor, "untyped_storage");
  torch.nbytes = Method(storage, "nbytes");
  torch.data_ptr = Method(storage, "data_ptr");
  torch.storage = type(storage);
  torch.dtype = keep(py::str("dtype"));
  torch.int8 = keep(module.attr("int8"));
  torch.uint8 = keep(module.attr("uint8"));
  torch.parameter = type(module.attr("nn").attr("Parameter"));
  torch.tensor = type(tensor);
  torch.exchange = exchange;
#endif
}

// A number that a function of torch returned; nothing, and an exception, if it raised.
inline std::optional<std::size_t> number_of(PyObject* returned) {
  const Ref result(returned);
  if (result && PyLong_CheckExact(result.get())) {
    const std::size_t number = PyLong_AsSize_t(result.get());
    if (number != SIZE_MAX) return number;
  }
  return std::nullopt;
}

// Whether calls can go the quick way now.
inline bool possible() {
  return torch.enabled && number_of(PyObject_CallNoArgs(torch.function_modes)) == 0 &&
         number_of(PyObject_CallNoArgs(torch.dispatch_modes)) == 0;
}

enum class Kind : std::uint8_t { kNumber, kTensor, kArray };

// The shape and the elements of an argument.
struct View {
  const std::byte* data = nullptr;
  DType type = DType::kFloat64;
  Kind kind = Kind::kNumber;
  bool truths = false;  // uint8, of dtype bool
  std::int64_t count = 1;
  std::size_t dimensions = 0;
  std::array<Dimension, kMaxDimensions> all;

  [[nodiscard]] std::span<Dimension> shape() { return std::span(all).first(dimensions); }
  [[nodiscard]] std::span<const Dimension> shape() const {
    return std::span(all).first(dimensions);
  }

  bool operator==(const View& other) const {
    return data == other.data && type == other.type && kind == other.kind &&
           std::ranges::equal(shape(), other.shape());
  }

  // Sets the dimensions. False if there are too many, or too many elements.
  bool set_shape(std::size_t number, const auto& dimension) {
    if (number > kMaxDimensions) return false;
    dimensions = number;
    count = 1;
    for (std::size_t i = 0; i < number; ++i) {
      all[i] = dimension(i);
      count *= all[i].size;
      if (count > kMostNumbers) return false;
    }
    return true;
  }

  // Takes off the last dimension.
  Dimension pop() {
    const Dimension last = all[--dimensions];
    count /= last.size;
    return last;
  }

  [[nodiscard]] bool same_shape(const View& other) const {
    return std::ranges::equal(shape(), other.shape(), {}, &Dimension::size, &Dimension::size);
  }

  // Broadcasts the shape with another one. False if that does not go.
  bool join(const View& other) {
    if (other.dimensions > dimensions) {
      const std::size_t more = other.dimensions - dimensions;
      std::ranges::move_backward(shape(),
                                 all.begin() + static_cast<std::ptrdiff_t>(other.dimensions));
      std::fill_n(all.begin(), more, Dimension{1, 0});
      dimensions = other.dimensions;
    }
    const std::size_t skipped = dimensions - other.dimensions;
    count = 1;
    for (std::size_t i = 0; i < dimensions; ++i) {
      if (i >= skipped) {
        const std::int64_t size = other.all[i - skipped].size;
        if (all[i].size == 1) all[i].size = size;
        if (size != 1 && size != all[i].size) return false;
      }
      count *= all[i].size;
    }
    return true;
  }

  // The elements, broadcast to another shape, if that goes.
  [[nodiscard]] std::optional<StridedWalk> walk(const View& to) const {
    if (to.dimensions < dimensions) return std::nullopt;
    if (to.count == 1 && count == 1) return StridedWalk(data, {});
    const std::size_t skipped = to.dimensions - dimensions;
    std::array<Dimension, kMaxDimensions> result;
    for (std::size_t i = 0; i < to.dimensions; ++i) {
      result[i] = {to.all[i].size, 0};
      if (i < skipped) continue;
      const Dimension& own = all[i - skipped];
      if (own.size != 1 && own.size != result[i].size) return std::nullopt;
      if (own.size != 1) result[i].stride = own.stride;
    }
    return StridedWalk(data, std::span<const Dimension>(result).first(to.dimensions));
  }
  [[nodiscard]] std::optional<Numbers> numbers(const View& to) const {
    auto places = walk(to);
    if (!places) return std::nullopt;
    return Numbers{type, *std::move(places)};
  }
};

inline std::optional<DType> dtype_of(const DlTensor& t) {
  if (t.lanes != 1) return std::nullopt;
  switch (t.code << 8 | t.bits) {
    case kDlInt << 8 | 8:
      return DType::kInt8;
    case kDlInt << 8 | 16:
      return DType::kInt16;
    case kDlInt << 8 | 32:
      return DType::kInt32;
    case kDlInt << 8 | 64:
      return DType::kInt64;
    case kDlUint << 8 | 8:
    case kDlBool << 8 | 8:
      return DType::kUint8;
    case kDlUint << 8 | 16:
      return DType::kUint16;
    case kDlUint << 8 | 32:
      return DType::kUint32;
    case kDlUint << 8 | 64:
      return DType::kUint64;
    case kDlFloat << 8 | 16:
      return DType::kFloat16;
    case kDlFloat << 8 | 32:
      return DType::kFloat32;
    case kDlFloat << 8 | 64:
      return DType::kFloat64;
    case kDlBfloat << 8 | 16:
      return DType::kBFloat16;
    default:
      return std::nullopt;
  }
}

// An argument of a call.
class Argument {
 public:
  // Takes an argument. False if it is not for the quick way.
  bool take(PyObject* object) {
    kind_ = kind_of(object);
    if (kind_) object_ = Ref::to(object);
    return kind_.has_value();
  }

  // Prepares for `look`, in each call. May run any code, and may leave an exception if it is false.
  [[nodiscard]] bool hold() {
    if (kind_ != Kind::kTensor) return true;
    const Ref tensor = Ref::to(object_.get());  // another thread may drop it
    const Ref negated(torch.is_neg(tensor.get()));
    if (negated.get() != Py_False) return false;
    if (!storage_) storage_ = Ref(torch.untyped_storage(tensor.get()));
    return storage_ && Py_TYPE(storage_.get()) == torch.storage;
  }

  // Looks at the elements, which may be read until other code runs.
  [[nodiscard]] bool look(View& view) const {
    if (kind_ == Kind::kTensor) return look_at_tensor(view);
    return kind_ == Kind::kArray ? look_at_array(view) : look_at_number(view);
  }

  [[nodiscard]] PyObject* object() const { return object_.get(); }

  int traverse(visitproc visit, void* arg) const {  // for Python's garbage collector
    Py_VISIT(object_.get());
    Py_VISIT(storage_.get());
    return 0;
  }

 private:
  static std::optional<Kind> kind_of(PyObject* object) {
    PyTypeObject* const type = Py_TYPE(object);
    if (torch.exchange != nullptr && (type == torch.tensor || type == torch.parameter))
      return Kind::kTensor;
    if (type == torch.array) return Kind::kArray;
    if (type == &PyFloat_Type || type == &PyLong_Type) return Kind::kNumber;
    return std::nullopt;
  }

  [[nodiscard]] bool look_at_tensor(View& view) const {
    DlTensor t;
    if (torch.exchange == nullptr || torch.exchange->tensor_from_object(object_.get(), &t) != 0)
      return false;
    const auto type = dtype_of(t);
    if (t.device_type != kDlCpu || !type) return false;
    if (t.bits == 8 && t.code != kDlBool) {
      const Ref dtype(PyObject_GetAttr(object_.get(), torch.dtype));
      if (dtype.get() != (t.code == kDlInt ? torch.int8 : torch.uint8)) return false;
    }
    const std::int64_t size = t.bits / 8;
    const auto dimension = [&](std::size_t i) {
      return Dimension{t.shape[i], t.strides[i] * size};
    };
    if (!view.set_shape(static_cast<std::size_t>(t.ndim), dimension)) return false;
    view.data = static_cast<const std::byte*>(t.data) + t.byte_offset;
    view.type = *type;
    view.kind = Kind::kTensor;
    view.truths = t.code == kDlBool;
    return is_in_storage(view, static_cast<std::size_t>(size));
  }

  // Tensors have no negative strides.
  [[nodiscard]] bool is_in_storage(const View& view, std::size_t size) const {
    if (view.count == 0) return false;
    const auto begin = number_of(torch.data_ptr(storage_.get()));
    const auto bytes = number_of(torch.nbytes(storage_.get()));
    if (!begin || !bytes) return false;
    std::size_t needed = size;
    for (const Dimension& d : view.shape())
      needed += static_cast<std::size_t>(d.size - 1) * static_cast<std::size_t>(d.stride);
    const auto at = reinterpret_cast<std::uintptr_t>(view.data);
    return at >= *begin && at - *begin <= *bytes && needed <= *bytes - (at - *begin);
  }

  [[nodiscard]] bool look_at_array(View& view) const {
    const auto* const array = py::detail::array_proxy(object_.get());
    const auto dtype = py::reinterpret_borrow<py::dtype>(array->descr);
    const auto type = find_dtype(dtype);
    view.truths = dtype.kind() == 'b';
    if ((!type && !view.truths) || type == DType::kBFloat16) return false;
    const auto dimension = [&](std::size_t i) {
      return Dimension{array->dimensions[i], array->strides[i]};
    };
    if (!view.set_shape(static_cast<std::size_t>(array->nd), dimension)) return false;
    view.data = reinterpret_cast<const std::byte*>(array->data);
    view.type = type.value_or(DType::kUint8);
    view.kind = Kind::kArray;
    return view.count > 0;
  }

  [[nodiscard]] bool look_at_number(View& view) const {
    view = View();
    if (PyFloat_CheckExact(object_.get())) {
      float_ = PyFloat_AS_DOUBLE(object_.get());
      view.data = reinterpret_cast<const std::byte*>(&float_);
      return true;
    }
    int overflow = 0;
    integer_ = PyLong_AsLongLongAndOverflow(object_.get(), &overflow);
    view.type = DType::kInt64;
    view.data = reinterpret_cast<const std::byte*>(&integer_);
    return overflow == 0;
  }

  std::optional<Kind> kind_;
  Ref object_;
  Ref storage_;  // of a tensor
  mutable double float_ = 0;
  mutable std::int64_t integer_ = 0;
};

// Memory for decoded values, which becomes a tensor or an array.
template <class T>
class Result {
 public:
  explicit Result(const View& like, Kind kind) : is_array_(kind == Kind::kArray) {
    if (is_array_) {
      std::array<py::ssize_t, kMaxDimensions> sizes;
      std::ranges::transform(like.shape(), sizes.begin(), &Dimension::size);
      py::array_t<T> array(std::span<const py::ssize_t>(sizes).first(like.dimensions));
      data_ = array.mutable_data();
      array_ = std::move(array);
      return;
    }
    if (torch.exchange == nullptr) return;
    memory_ = std::malloc(kBegin + static_cast<std::size_t>(like.count) * sizeof(T));
    if (memory_ == nullptr) throw std::bad_alloc();
    auto* const tensor = new (memory_) Tensor;
    data_ = reinterpret_cast<T*>(static_cast<std::byte*>(memory_) + kBegin);
    std::int64_t stride = 1;
    for (std::size_t i = like.dimensions; i-- > 0;) {
      tensor->shape[i] = like.all[i].size;
      tensor->strides[i] = stride;
      stride *= like.all[i].size;
    }
    // The last owner of the tensor frees it, on any thread, without the GIL.
    tensor->managed = {1,
                       0,
                       nullptr,
                       [](DlManaged* managed) { std::free(managed); },
                       0,
                       {data_, kDlCpu, 0, static_cast<std::int32_t>(like.dimensions), kDlInt,
                        8 * sizeof(T), 1, tensor->shape.data(), tensor->strides.data(), 0}};
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() { std::free(memory_); }

  // Null if there is no way to make a tensor.
  [[nodiscard]] T* data() { return data_; }

  // The tensor or the array, or null and an exception.
  [[nodiscard]] PyObject* release() {
    if (is_array_) return array_.release().ptr();
    void* object = nullptr;
    auto* const managed = static_cast<DlManaged*>(std::exchange(memory_, nullptr));
    return torch.exchange->managed_to_object(managed, &object) == 0 ? static_cast<PyObject*>(object)
                                                                    : nullptr;
  }

 private:
  struct Tensor {
    DlManaged managed;  // first, as it is what is freed
    std::array<std::int64_t, kMaxDimensions> shape;
    std::array<std::int64_t, kMaxDimensions> strides;
  };
  static constexpr std::size_t kBegin = 256;  // of the elements, aligned as those of torch
  static_assert(sizeof(Tensor) <= kBegin);

  bool is_array_;
  py::object array_;
  void* memory_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace torchac::python::quick
