// The base types of models, which hold what their constructors were given, and read it when values
// are coded; and the model of a call that goes the quick way: such a one, or rows of a CDF.
//
// The constructors take what the quick way reads (quick_tensor.hpp), and leave all else to the
// method `_make` of the class in Python, which sets the model's attributes. If these are asked for
// later, it is called then.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "quick_tensor.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window.hpp"

namespace torchac::python::quick {

// An argument of a constructor.
struct Given {
  Argument argument;
  View seen;  // by the constructor

  // Whether it is as it was: a tensor may have been given other memory since, or another shape.
  [[nodiscard]] bool look(View& view) const { return argument.look(view) && view == seen; }
  [[nodiscard]] bool look_first() { return argument.look(seen); }
};

// The arguments of a constructor, and what follows from them.
struct Givens {
  std::array<Given, 2> given;      // loc and scale; or the numbers of categories; or weights
  std::vector<Ref> components;     // of a mixture: one for all weights, or one for each
  bool each = false;               // whether there is one for each
  const Family* family = nullptr;  // of loc and scale
  CategoryNumbers numbers{};       // of categories
  Bounds bounds;
};

enum class ModelKind : std::uint8_t { kLocationScale, kMixture, kCategories };

struct ModelObject {
  PyObject head;
  ModelKind kind;
  bool fresh;  // no constructor was called
  bool held;   // its arguments are those
  Givens givens;
};

struct Types {
  PyTypeObject* model = nullptr;  // the base of the others
  PyTypeObject* location_scale = nullptr;
};
inline Types types;

inline ModelObject* model_of(PyObject* object) { return reinterpret_cast<ModelObject*>(object); }

// A string that lives as long as the process.
inline PyObject* name_of(const char* name) {
  PyObject* const result = PyUnicode_InternFromString(name);
  if (result == nullptr) throw py::error_already_set();
  return result;
}

// A model for values of some shape.
struct ModelOfCall {
  View shape;
  AnyModel model = Parameters{};
  Kind kind = Kind::kNumber;  // of the result: an array if an argument is one
  bool own_rows = false;      // whether each value has a row of a CDF

  void use(const View& view) {
    if (view.kind == Kind::kArray) kind = Kind::kArray;
  }
  // Lets the model have this shape: that of the values, or else that of all of these views.
  bool set_shape(const View* values, std::initializer_list<const View*> views) {
    shape = values != nullptr ? *values : **views.begin();
    for (const View* view : views) {
      use(*view);
      if (values == nullptr && !shape.join(*view)) return false;
    }
    return shape.count > 0 && shape.count <= kMostValues;
  }
};

inline bool add_component(Parameters& to, const View& shape, const Family* family, const View& loc,
                          const View& scale, const View* weight = nullptr) {
  Component component{family, {loc.numbers(shape), scale.numbers(shape), std::nullopt}};
  if (weight != nullptr) component[Parameter::kWeight] = weight->numbers(shape);
  const bool fits = component[Parameter::kLoc] && component[Parameter::kScale] &&
                    (weight == nullptr || component[Parameter::kWeight]);
  to.components.push_back(std::move(component));
  return fits;
}

inline bool prepare_location_scale(const Givens& model, const View* values, ModelOfCall& call) {
  View loc;
  View scale;
  if (!model.given[0].look(loc) || !model.given[1].look(scale)) return false;
  Parameters parameters{{}, model.bounds};
  if (!call.set_shape(values, {&loc, &scale}) ||
      !add_component(parameters, call.shape, model.family, loc, scale))
    return false;
  call.model = std::move(parameters);
  return true;
}

// A component of a mixture, and its weight.
struct Part {
  const Family* family;
  View loc;
  View scale;
  View weight;
};

// Takes element k of the last dimension, which has `count` of them or one for all; an argument
// without dimensions is for all. False if there are not as many.
inline bool select(View& view, std::int64_t k, std::int64_t count) {
  if (view.dimensions == 0) return true;
  const Dimension last = view.pop();
  if (last.size != 1) view.data += k * last.stride;
  return last.size == 1 || last.size == count;
}

// Looks at the components of a mixture. Nothing if it is not for the quick way.
inline std::vector<Part> look_at_parts(const Givens& mixture, ModelOfCall& call) {
  View weights;
  if (!mixture.given[0].look(weights)) return {};
  call.use(weights);
  const std::int64_t count = weights.all[weights.dimensions - 1].size;
  std::vector<Part> parts;
  parts.reserve(static_cast<std::size_t>(count));
  for (const Ref& component : mixture.components) {
    const auto& [head, kind, fresh, held, model] = *model_of(component.get());
    Part part{model.family, {}, {}, {}};
    if (!held || model.bounds != mixture.bounds || !model.given[0].look(part.loc) ||
        !model.given[1].look(part.scale))
      return {};
    call.use(part.loc);
    call.use(part.scale);
    parts.push_back(part);
  }
  if (mixture.each && std::cmp_not_equal(parts.size(), count)) return {};
  if (!mixture.each) {
    if (parts[0].loc.dimensions + parts[0].scale.dimensions == 0) return {};
    parts.resize(static_cast<std::size_t>(count), parts[0]);
  }
  for (std::int64_t k = 0; k < count; ++k) {
    Part& part = parts[static_cast<std::size_t>(k)];
    part.weight = weights;
    (void)select(part.weight, k, count);
    if (!mixture.each && !(select(part.loc, k, count) && select(part.scale, k, count))) return {};
  }
  return parts;
}

// Lets a mixture have the shape of the values, or else that of its parts.
inline bool set_shape(const std::vector<Part>& parts, const View* values, ModelOfCall& call) {
  if (values != nullptr) call.shape = *values;
  for (const Part& part : parts) {
    if (values == nullptr &&
        !(call.shape.join(part.weight) && call.shape.join(part.loc) && call.shape.join(part.scale)))
      return false;
  }
  const auto count = static_cast<std::int64_t>(parts.size());
  return count > 0 && call.shape.count > 0 && call.shape.count * count <= kMostValues;
}

inline bool prepare_mixture(const Givens& model, const View* values, ModelOfCall& call) {
  const std::vector<Part> parts = look_at_parts(model, call);
  if (!set_shape(parts, values, call)) return false;
  Parameters parameters{{}, model.bounds};
  parameters.components.reserve(parts.size());
  for (const auto& [family, loc, scale, weight] : parts) {
    if (!add_component(parameters, call.shape, family, loc, scale, &weight)) return false;
  }
  call.model = std::move(parameters);
  return true;
}

inline bool prepare_categories(const Givens& model, const View* values, ModelOfCall& call) {
  View numbers;
  if (!model.given[0].look(numbers)) return false;
  CategoryLayout layout{model.numbers, numbers.type, 1, 0};
  if (!layout.bernoulli()) {
    const Dimension last = numbers.pop();
    layout.count = static_cast<std::uint32_t>(last.size);
    layout.stride = last.stride;
  }
  if (!call.set_shape(values, {&numbers})) return false;
  auto rows = numbers.walk(call.shape);
  if (!rows || call.shape.count * layout.count > kMostNumbers) return false;
  call.model = Categories{layout, Rows(*std::move(rows))};
  return true;
}

// The model of a call.
class Source {
 public:
  // These are as those of Argument.
  bool take(PyObject* argument) {
    if (PyObject_TypeCheck(argument, types.model) == 0) return rows_.take(argument);
    model_ = Ref::to(argument);
    return model_of(argument)->held;
  }
  [[nodiscard]] bool hold() {
    return is_cdf() ? rows_.hold() : hold_model(*model_of(model_.get()));
  }

  [[nodiscard]] bool is_cdf() const { return !model_; }

  // Prepares a call, for these values if there are any; or says that it is not for the quick way.
  [[nodiscard]] bool prepare(const View* values, bool normalize, ModelOfCall& call) const {
    if (is_cdf()) return prepare_rows(values, normalize, call);
    const ModelObject& model = *model_of(model_.get());
    if (!model.held) return false;
    if (model.kind == ModelKind::kCategories) return prepare_categories(model.givens, values, call);
    if (model.kind == ModelKind::kMixture) return prepare_mixture(model.givens, values, call);
    return prepare_location_scale(model.givens, values, call);
  }

 private:
  // Another thread may give the model other arguments meanwhile.
  static bool hold_model(ModelObject& model) {
    for (Given& given : model.givens.given) {
      if (!given.argument.hold()) return false;
    }
    for (std::size_t k = 0; k < model.givens.components.size(); ++k) {
      const Ref component = Ref::to(model.givens.components[k].get());
      if (!hold_model(*model_of(component.get()))) return false;
    }
    return true;
  }

  bool prepare_rows(const View* values, bool normalize, ModelOfCall& call) const {
    View rows;
    if (!rows_.look(rows) || rows.dimensions == 0 || rows.truths) return false;
    const Dimension last = rows.pop();
    const std::int64_t symbols = last.size - 1;
    const DType type = rows.type == DType::kUint16 ? DType::kInt16 : rows.type;
    if ((!is_float(type) && type != DType::kInt16) || symbols < kMinSymbols ||
        symbols > kMaxSymbols || !call.set_shape(values, {&rows}))
      return false;
    auto walk = rows.walk(call.shape);
    if (!walk || call.shape.count * last.size > kMostNumbers) return false;
    call.own_rows = rows.same_shape(call.shape);
    call.model = CdfRows{{type, normalize, static_cast<std::uint32_t>(symbols), last.stride},
                         Rows(*std::move(walk))};
    return true;
  }

  Ref model_;
  Argument rows_;
};

// ---- Constructors ----

// The arguments of a call by their names. The first `required` may come without them. False if
// there are others, or one of the first is missing.
template <std::size_t kCount>
bool parse(PyObject* positional, PyObject* named, const std::array<PyObject*, kCount>& names,
           std::array<Ref, kCount>& values, std::size_t required) {
  const auto given = static_cast<std::size_t>(PyTuple_GET_SIZE(positional));
  if (given > required) return false;
  for (std::size_t i = 0; i < given; ++i)
    values[i] = Ref::to(PyTuple_GET_ITEM(positional, static_cast<Py_ssize_t>(i)));
  Py_ssize_t at = 0;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  while (named != nullptr && PyDict_Next(named, &at, &name, &value) != 0) {
    const auto found = std::ranges::find(names, name);  // by address: names in code are interned
    if (found == names.end()) return false;
    Ref& to = values[static_cast<std::size_t>(found - names.begin())];
    if (to) return false;
    to = Ref::to(value);
  }
  return std::all_of(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(required),
                     [](const Ref& ref) { return static_cast<bool>(ref); });
}

// A bound, or its default if there is none.
inline bool read_bound(PyObject* value, std::int32_t& to) {
  if (value == nullptr || value == Py_None) return true;
  if (!PyLong_CheckExact(value)) return false;
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  to = static_cast<std::int32_t>(number);
  return overflow == 0 && std::in_range<std::int32_t>(number);
}

// Whether all are floats from low to high, or a number is.
inline bool are_floats_between(const View& view, double low, double high) {
  if (!is_float(view.type) && view.kind != Kind::kNumber) return false;
  auto numbers = view.numbers(view);
  std::array<double, 64> block;
  for (std::int64_t left = view.count; left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(left, block.size()));
    read_doubles(*numbers, count, block.data());
    bool good = true;
    for (std::size_t i = 0; i < count; ++i) good &= low <= block[i] && block[i] <= high;
    if (!good) return false;
    left -= static_cast<std::int64_t>(count);
  }
  return true;
}

inline constexpr double kLargest = std::numeric_limits<double>::max();

// What the class of an object says of itself in Python: an attribute; or null, and an exception.
inline Ref attribute(PyObject* self, PyObject* name) {
  return Ref(PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), name));
}

// Each kind of model takes its arguments by `take`, and then `check` looks at them for the first
// time. Both say whether they are for the quick way.
struct LocationScale {
  static constexpr ModelKind kKind = ModelKind::kLocationScale;

  static bool take(PyObject* self, PyObject* positional, PyObject* named, Givens& to) {
    static const std::array names{name_of("loc"), name_of("scale"), name_of("low"),
                                  name_of("high")};
    static PyObject* const its_family = name_of("_family");
    std::array<Ref, names.size()> values;
    if (!parse(positional, named, names, values, 2) ||
        !read_bound(values[2].get(), to.bounds.low) ||
        !read_bound(values[3].get(), to.bounds.high) || to.bounds.low > to.bounds.high ||
        !to.given[0].argument.take(values[0].get()) || !to.given[1].argument.take(values[1].get()))
      return false;
    const Ref family = attribute(self, its_family);
    if (!family || PyUnicode_CheckExact(family.get()) == 0) return false;
    to.family = find_family(PyUnicode_AsUTF8(family.get()));
    return to.family != nullptr;
  }

  static bool check(Givens& self) {
    auto& [loc, scale] = self.given;
    ModelOfCall call;
    return loc.look_first() && scale.look_first() &&
           are_floats_between(loc.seen, -kLargest, kLargest) &&
           are_floats_between(scale.seen, 0, kMaxScale) &&
           call.set_shape(nullptr, {&loc.seen, &scale.seen});
  }
};

struct Mixture {
  static constexpr ModelKind kKind = ModelKind::kMixture;

  static bool take(PyObject* /*self*/, PyObject* positional, PyObject* named, Givens& to) {
    static const std::array names{name_of("weights"), name_of("components")};
    std::array<Ref, names.size()> values;
    if (!parse(positional, named, names, values, 2)) return false;
    PyObject* const components = values[1].get();
    to.each = PyList_CheckExact(components) || PyTuple_CheckExact(components);
    const Py_ssize_t count = to.each ? PySequence_Fast_GET_SIZE(components) : 1;
    for (Py_ssize_t k = 0; k < count; ++k) {
      PyObject* const one = to.each ? PySequence_Fast_GET_ITEM(components, k) : components;
      if (PyObject_TypeCheck(one, types.location_scale) == 0) return false;
      to.components.push_back(Ref::to(one));
    }
    return count > 0 && to.given[0].argument.take(values[0].get());
  }

  static bool check(Givens& self) {
    constexpr double kMinWeight = 0x1p-126;  // smaller ones count as 0
    Given& weights = self.given[0];
    self.bounds = model_of(self.components.front().get())->givens.bounds;
    ModelOfCall call;
    return weights.look_first() && weights.seen.dimensions > 0 &&
           are_floats_between(weights.seen, kMinWeight, kLargest) &&
           set_shape(look_at_parts(self, call), nullptr, call);
  }
};

struct CategoriesOf {
  static constexpr ModelKind kKind = ModelKind::kCategories;

  static bool take(PyObject* self, PyObject* positional, PyObject* named, Givens& to) {
    static const std::array names{name_of("probs"), name_of("logits")};
    static PyObject* const own_dimensions = name_of("_own_dimensions");
    std::array<Ref, names.size()> values;
    if (!parse(positional, named, names, values, 0) || (values[0] && values[1])) return false;
    const Ref& numbers = values[values[1] ? 1 : 0];
    if (!numbers || !to.given[0].argument.take(numbers.get())) return false;
    const Ref own = attribute(self, own_dimensions);
    if (!own || PyLong_CheckExact(own.get()) == 0) return false;
    const bool bernoulli = PyLong_AsLong(own.get()) == 0;
    if (values[1]) {
      to.numbers = bernoulli ? CategoryNumbers::kBernoulliLogits : CategoryNumbers::kLogits;
    } else {
      to.numbers =
          bernoulli ? CategoryNumbers::kBernoulliProbabilities : CategoryNumbers::kProbabilities;
    }
    return true;
  }

  static bool check(Givens& self) {
    Given& numbers = self.given[0];
    const bool bernoulli = CategoryLayout{self.numbers, {}, 1, 0}.bernoulli();
    return numbers.look_first() && is_float(numbers.seen.type) &&
           (bernoulli || numbers.seen.dimensions > 0);
  }
};

// ---- The types ----

template <ModelKind kKind>
PyObject* model_new(PyTypeObject* type, PyObject* /*positional*/, PyObject* /*named*/) {
  PyObject* const object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  model_of(object)->kind = kKind;
  model_of(object)->fresh = true;
  model_of(object)->held = false;
  new (&model_of(object)->givens) Givens;
  return object;
}

// Forgets the arguments.
inline void drop(ModelObject& self) {
  self.held = false;
  const Givens dropped = std::exchange(self.givens, {});  // last, as this may run any code
}

// Lets the class in Python construct the model.
inline int make(PyObject* object, PyObject* positional, PyObject* named) {
  static PyObject* const name = name_of("_make");
  const Ref method(PyObject_GetAttr(object, name));
  const Ref result(method ? PyObject_Call(method.get(), positional, named) : nullptr);
  return result ? 0 : -1;
}

template <class Model>
int model_init(PyObject* object, PyObject* positional, PyObject* named) {
  ModelObject& self = *model_of(object);
  const bool fresh = std::exchange(self.fresh, false);
  if (self.held) drop(self);
  try {
    Givens givens;
    if (fresh && Model::take(object, positional, named, givens) && possible() &&
        givens.given[0].argument.hold() && givens.given[1].argument.hold()) {
      self.givens = std::move(givens);
      self.held = Model::check(self.givens);
      if (self.held) return 0;
      drop(self);
    }
  } catch (...) {  // no memory, and what follows says so
  }
  PyErr_Clear();
  return make(object, positional, named);
}

// The arguments by position and by name.
inline std::pair<Ref, Ref> arguments_of(const ModelObject& self) {
  const auto& [given, components, each, family, numbers, bounds] = self.givens;
  // Held first, as what follows may run any code.
  const Ref first = Ref::to(given[0].argument.object());
  const Ref second = Ref::to(given[1].argument.object());
  std::vector<Ref> parts;
  for (const Ref& component : components) parts.push_back(Ref::to(component.get()));
  const bool listed = each;
  switch (self.kind) {
    case ModelKind::kLocationScale:
      return {Ref(PyTuple_Pack(2, first.get(), second.get())),
              Ref(Py_BuildValue("{s:i,s:i}", "low", bounds.low, "high", bounds.high))};
    case ModelKind::kCategories: {
      const char* const name = CategoryLayout{numbers, {}, 1, 0}.logits() ? "logits" : "probs";
      return {Ref(PyTuple_New(0)), Ref(Py_BuildValue("{s:O}", name, first.get()))};
    }
    case ModelKind::kMixture:
      break;
  }
  if (!listed) return {Ref(PyTuple_Pack(2, first.get(), parts[0].get())), Ref()};
  const Ref list(PyList_New(static_cast<Py_ssize_t>(parts.size())));
  for (std::size_t k = 0; list && k < parts.size(); ++k)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(k), Py_NewRef(parts[k].get()));
  return {Ref(list ? PyTuple_Pack(2, first.get(), list.get()) : nullptr), Ref()};
}

// Whether it is an attribute that `_make` sets.
inline bool is_made(PyObject* name) {
  static const std::array names{name_of("shape"),    name_of("bounds"),  name_of("loc"),
                                name_of("scale"),    name_of("weights"), name_of("components"),
                                name_of("_numbers"), name_of("_name")};
  return std::ranges::any_of(names,
                             [&](PyObject* made) { return PyUnicode_Compare(made, name) == 0; });
}

// Sets these attributes, those of a model that Python makes of the same arguments.
inline bool settle(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  const auto [positional, named] = arguments_of(*model_of(object));
  const Ref other(model_new<ModelKind::kLocationScale>(type, nullptr, nullptr));  // of any kind
  if (!positional || !other || make(other.get(), positional.get(), named.get()) != 0) return false;
  const Ref from(PyObject_GenericGetDict(other.get(), nullptr));
  const Ref to(PyObject_GenericGetDict(object, nullptr));
  return from && to && PyDict_Merge(to.get(), from.get(), 0) == 0;
}

inline PyObject* model_getattro(PyObject* object, PyObject* name) {
  PyObject* const found = PyObject_GenericGetAttr(object, name);
  if (found != nullptr || !model_of(object)->held ||
      PyErr_ExceptionMatches(PyExc_AttributeError) == 0 || !is_made(name))
    return found;
  PyErr_Clear();
  return settle(object) ? PyObject_GenericGetAttr(object, name) : nullptr;
}

// A model with other attributes is no longer that of its arguments.
inline int model_setattro(PyObject* object, PyObject* name, PyObject* value) {
  if (model_of(object)->held && is_made(name)) {
    if (!settle(object)) return -1;
    drop(*model_of(object));
  }
  return PyObject_GenericSetAttr(object, name, value);
}

// The state for `pickle` and `copy`.
inline PyObject* model_getstate(PyObject* object, PyObject* /*none*/) {
  if (model_of(object)->held && !settle(object)) return nullptr;
  return PyObject_GenericGetDict(object, nullptr);
}

inline int model_traverse(PyObject* object, visitproc visit, void* arg) {
  for (const Given& given : model_of(object)->givens.given) {
    if (const int result = given.argument.traverse(visit, arg)) return result;
  }
  for (const Ref& component : model_of(object)->givens.components) Py_VISIT(component.get());
  Py_VISIT(Py_TYPE(object));
  return 0;
}

inline int model_clear(PyObject* object) {
  drop(*model_of(object));
  return 0;
}

inline void model_dealloc(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  std::destroy_at(&model_of(object)->givens);
  type->tp_free(object);
  Py_DECREF(type);
}

template <class Function>
PyType_Slot slot(int number, Function* function) {
  return {number, reinterpret_cast<void*>(function)};
}

template <std::size_t kCount>
PyTypeObject* add_type(py::module_& m, const char* name, std::array<PyType_Slot, kCount> slots,
                       PyTypeObject* base = nullptr) {
  PyType_Spec spec{name, sizeof(ModelObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpecWithBases(
      &spec, base == nullptr
                 ? nullptr
                 : py::make_tuple(py::handle(reinterpret_cast<PyObject*>(base))).ptr()));
  if (!type) throw py::error_already_set();
  m.attr(std::string_view(name).substr(std::string_view("torchac._core.").size()).data()) = type;
  return reinterpret_cast<PyTypeObject*>(type.release().ptr());
}

template <class Model>
PyTypeObject* add_type(py::module_& m, const char* name) {
  return add_type(
      m, name,
      std::array{slot(Py_tp_new, &model_new<Model::kKind>), slot(Py_tp_init, &model_init<Model>),
                 slot(Py_tp_traverse, &model_traverse), slot(Py_tp_clear, &model_clear),
                 slot(Py_tp_dealloc, &model_dealloc), PyType_Slot{}},
      types.model);
}

inline void add_types(py::module_& m) {
  static std::array methods{PyMethodDef{"__getstate__", model_getstate, METH_NOARGS, nullptr},
                            PyMethodDef{}};
  types.model = add_type(
      m, "torchac._core.QuickModel",
      std::array{PyType_Slot{Py_tp_methods, methods.data()}, slot(Py_tp_getattro, &model_getattro),
                 slot(Py_tp_setattro, &model_setattro), slot(Py_tp_traverse, &model_traverse),
                 slot(Py_tp_clear, &model_clear), slot(Py_tp_dealloc, &model_dealloc),
                 PyType_Slot{}});
  types.location_scale = add_type<LocationScale>(m, "torchac._core.LocationScale");
  add_type<Mixture>(m, "torchac._core.Mixture");
  add_type<CategoriesOf>(m, "torchac._core.Categories");
}

}  // namespace torchac::python::quick
