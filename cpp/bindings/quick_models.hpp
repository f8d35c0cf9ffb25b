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

// The arguments of a constructor.
struct Given {
  Argument argument;
  View seen;  // by the constructor

  // Whether it is as it was: a tensor may have been given other memory since, or another shape.
  [[nodiscard]] bool look(View& view) const { return argument.look(view) && view == seen; }
  bool look_first() { return argument.look(seen); }
};

struct ModelObject {
  PyObject head;
  bool fresh;                   // no constructor was called
  bool held;                    // the members below are valid
  std::array<Given, 2> given;   // loc and scale; or numbers of categories; or weights
  std::vector<Ref> components;  // of a mixture: one for all weights, or one for each
  bool each;                    // whether there is one for each
  const Family* family;
  CategoryNumbers numbers;
  Bounds bounds;
};

struct Types {
  PyTypeObject* location_scale = nullptr;
  PyTypeObject* mixture = nullptr;
  PyTypeObject* categories = nullptr;
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

inline bool prepare_location_scale(const ModelObject& model, const View* values,
                                   ModelOfCall& call) {
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

// The part of one of `count` components; none if there are not as many.
inline std::optional<View> part_of(View view, std::int64_t k, std::int64_t count) {
  if (view.dimensions == 0) return view;
  const Dimension last = view.pop();
  if (last.size != 1 && last.size != count) return std::nullopt;
  if (last.size != 1) view.data += k * last.stride;
  return view;
}

// Looks at the components of a mixture: `use(family, loc, scale, weight)` for each.
template <class Use>
bool each_component(const ModelObject& mixture, View& weights, const Use& use) {
  if (!mixture.given[0].look(weights)) return false;
  const std::int64_t count = weights.all[weights.dimensions - 1].size;
  for (std::int64_t k = 0; k < count; ++k) {
    const ModelObject& part =
        *model_of(mixture.components[mixture.each ? static_cast<std::size_t>(k) : 0].get());
    View loc;
    View scale;
    if (!part.held || part.bounds != mixture.bounds || !part.given[0].look(loc) ||
        !part.given[1].look(scale))
      return false;
    if (!mixture.each) {
      const auto its_loc = part_of(loc, k, count);
      const auto its_scale = part_of(scale, k, count);
      if (!its_loc || !its_scale || loc.dimensions + scale.dimensions == 0) return false;
      loc = *its_loc;
      scale = *its_scale;
    }
    if (!use(part.family, loc, scale, *part_of(weights, k, count))) return false;
  }
  return true;
}

inline bool prepare_mixture(const ModelObject& model, const View* values, ModelOfCall& call) {
  View weights;
  if (values == nullptr) {
    const bool joined = each_component(
        model, weights, [&](const Family*, const View& loc, const View& scale, const View& weight) {
          return call.shape.join(loc) && call.shape.join(scale) && call.shape.join(weight);
        });
    if (!joined) return false;
  } else {
    call.shape = *values;
  }
  Parameters parameters{{}, model.bounds};
  const bool added = each_component(
      model, weights,
      [&](const Family* family, const View& loc, const View& scale, const View& weight) {
        call.use(loc);
        call.use(scale);
        return add_component(parameters, call.shape, family, loc, scale, &weight);
      });
  if (!added || call.shape.count * weights.all[weights.dimensions - 1].size > kMostValues)
    return false;
  call.use(weights);
  call.model = std::move(parameters);
  return true;
}

inline bool prepare_categories(const ModelObject& model, const View* values, ModelOfCall& call) {
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
  // Takes it. May run any code.
  bool hold(PyObject* argument) {
    if (!is_model(argument)) return rows_.hold(argument);
    model_ = Ref::to(argument);
    return hold_model(*model_of(argument));
  }

  [[nodiscard]] bool is_cdf() const { return !model_; }

  // Whether a CDF has a row for each of these values.
  [[nodiscard]] bool has_rows_of(const View& values) const {
    View rows;
    if (!rows_.look(rows)) return false;
    rows.pop();
    return rows.same_shape(values);
  }

  // Prepares a call, for these values if there are any; or says that it is not for the quick way.
  [[nodiscard]] bool prepare(const View* values, bool normalize, ModelOfCall& call) const {
    if (is_cdf()) return prepare_rows(values, normalize, call);
    const ModelObject& model = *model_of(model_.get());
    if (!model.held) return false;
    if (PyObject_TypeCheck(model_.get(), types.location_scale))
      return prepare_location_scale(model, values, call);
    if (PyObject_TypeCheck(model_.get(), types.mixture))
      return prepare_mixture(model, values, call);
    return prepare_categories(model, values, call);
  }

 private:
  static bool is_model(PyObject* object) {
    return PyObject_TypeCheck(object, types.location_scale) ||
           PyObject_TypeCheck(object, types.categories) ||
           PyObject_TypeCheck(object, types.mixture);
  }

  // Another thread may change the model meanwhile.
  static bool hold_model(const ModelObject& model) {
    if (!model.held) return false;
    for (const Given& given : model.given) {
      if (given.argument.object() != nullptr && !given.argument.hold_again()) return false;
    }
    for (std::size_t k = 0; k < model.components.size(); ++k) {
      const Ref part = Ref::to(model.components[k].get());
      if (!hold_model(*model_of(part.get()))) return false;
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
    call.model = CdfRows{{type, normalize, static_cast<std::uint32_t>(symbols), last.stride},
                         Rows(*std::move(walk))};
    return true;
  }

  Ref model_;
  Argument rows_;
};

// ---- Constructors ----

// The arguments of a call by their names. The first `positional` may come without them. False if
// there are others, or one of the first is missing.
template <std::size_t kCount>
bool parse(PyObject* positional, PyObject* named, const std::array<PyObject*, kCount>& names,
           std::array<PyObject*, kCount>& values, std::size_t required) {
  values.fill(nullptr);
  const Py_ssize_t given = PyTuple_GET_SIZE(positional);
  if (std::cmp_greater(given, required)) return false;
  for (Py_ssize_t i = 0; i < given; ++i)
    values[static_cast<std::size_t>(i)] = PyTuple_GET_ITEM(positional, i);
  Py_ssize_t at = 0;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  while (named != nullptr && PyDict_Next(named, &at, &name, &value) != 0) {
    const auto found = std::ranges::find(names, name);  // by address: names in code are interned
    if (found == names.end()) return false;
    PyObject*& to = values[static_cast<std::size_t>(found - names.begin())];
    if (to != nullptr) return false;
    to = value;
  }
  return std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(required),
                   nullptr) == values.begin() + static_cast<std::ptrdiff_t>(required);
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

// Whether all are floats from low to high.
inline bool are_floats_between(const View& view, double low, double high) {
  if (!is_float(view.type) && view.kind != Kind::kNumber) return false;
  auto numbers = view.numbers(view);
  std::array<double, 64> block;
  for (std::int64_t left = view.count; left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(left, block.size()));
    read_doubles(*numbers, count, block.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (!(low <= block[i] && block[i] <= high)) return false;
    }
    left -= static_cast<std::int64_t>(count);
  }
  return true;
}

inline constexpr double kLargest = std::numeric_limits<double>::max();

// What a class says of itself in Python: an attribute.
inline Ref attribute(PyObject* self, PyObject* name) {
  PyObject* const value = PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), name);
  if (value == nullptr) PyErr_Clear();
  return Ref(value);
}

inline bool take_location_scale(PyObject* object, PyObject* positional, PyObject* named) {
  static const std::array names{name_of("loc"), name_of("scale"), name_of("low"), name_of("high")};
  static PyObject* const its_family = name_of("_family");
  ModelObject& self = *model_of(object);
  std::array<PyObject*, names.size()> values;
  if (!parse(positional, named, names, values, 2) || !read_bound(values[2], self.bounds.low) ||
      !read_bound(values[3], self.bounds.high) || self.bounds.low > self.bounds.high)
    return false;
  const Ref family = attribute(object, its_family);
  if (!family || !PyUnicode_Check(family.get())) return false;
  self.family = find_family(PyUnicode_AsUTF8(family.get()));
  auto& [loc, scale] = self.given;
  if (self.family == nullptr || !loc.argument.hold(values[0]) || !scale.argument.hold(values[1]) ||
      !loc.look_first() || !scale.look_first())
    return false;
  ModelOfCall call;
  return are_floats_between(loc.seen, -kLargest, kLargest) &&
         are_floats_between(scale.seen, 0, kMaxScale) &&
         call.set_shape(nullptr, {&loc.seen, &scale.seen});
}

inline bool take_categories(PyObject* object, PyObject* positional, PyObject* named) {
  static const std::array names{name_of("probs"), name_of("logits")};
  static PyObject* const own_dimensions = name_of("_own_dimensions");
  ModelObject& self = *model_of(object);
  std::array<PyObject*, names.size()> values;
  if (!parse(positional, named, names, values, 0) ||
      (values[0] == nullptr) == (values[1] == nullptr))
    return false;
  const bool logits = values[1] != nullptr;
  const Ref own = attribute(object, own_dimensions);
  if (!own || !PyLong_Check(own.get())) return false;
  const bool bernoulli = PyLong_AsLong(own.get()) == 0;
  if (bernoulli) {
    self.numbers =
        logits ? CategoryNumbers::kBernoulliLogits : CategoryNumbers::kBernoulliProbabilities;
  } else {
    self.numbers = logits ? CategoryNumbers::kLogits : CategoryNumbers::kProbabilities;
  }
  Given& given = self.given[0];
  return given.argument.hold(values[logits]) && given.look_first() && is_float(given.seen.type) &&
         (bernoulli || given.seen.dimensions > 0);
}

inline bool take_mixture(PyObject* object, PyObject* positional, PyObject* named) {
  static const std::array names{name_of("weights"), name_of("components")};
  constexpr double kMinWeight = 0x1p-126;  // smaller ones count as 0
  ModelObject& self = *model_of(object);
  std::array<PyObject*, names.size()> values;
  if (!parse(positional, named, names, values, 2)) return false;
  PyObject* const components = values[1];
  self.each = PyList_CheckExact(components) || PyTuple_CheckExact(components);
  const Py_ssize_t count = self.each ? PySequence_Fast_GET_SIZE(components) : 1;
  for (Py_ssize_t k = 0; k < count; ++k) {
    PyObject* const part = self.each ? PySequence_Fast_GET_ITEM(components, k) : components;
    if (!PyObject_TypeCheck(part, types.location_scale) || !model_of(part)->held) return false;
    self.components.push_back(Ref::to(part));
  }
  Given& weights = self.given[0];
  if (count == 0 || !weights.argument.hold(values[0]) || !weights.look_first() ||
      weights.seen.dimensions == 0 || weights.seen.kind == Kind::kNumber)
    return false;
  const std::int64_t size = weights.seen.all[weights.seen.dimensions - 1].size;
  self.bounds = model_of(self.components.front().get())->bounds;
  ModelOfCall call;
  return (!self.each || count == size) && are_floats_between(weights.seen, kMinWeight, kLargest) &&
         prepare_mixture(self, nullptr, call);
}

// ---- The types ----

inline PyObject* model_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  ModelObject* const self = model_of(object);
  self->fresh = true;  // the rest is 0
  new (&self->given) std::array<Given, 2>;
  new (&self->components) std::vector<Ref>;
  return object;
}

inline void drop(ModelObject& self) {
  self.held = false;
  for (Given& given : self.given) given.argument.drop();
  const std::vector<Ref> components = std::exchange(self.components, {});
  self.bounds = {};
}

// Lets the class in Python construct the model.
inline int make(PyObject* object, PyObject* positional, PyObject* named) {
  static PyObject* const name = name_of("_make");
  const Ref method(PyObject_GetAttr(object, name));
  const Ref result(method ? PyObject_Call(method.get(), positional, named) : nullptr);
  return result ? 0 : -1;
}

using Take = bool (*)(PyObject*, PyObject*, PyObject*);

template <Take kTake>
int model_init(PyObject* object, PyObject* positional, PyObject* named) {
  ModelObject& self = *model_of(object);
  const bool fresh = std::exchange(self.fresh, false);
  drop(self);
  try {
    self.held = fresh && possible() && kTake(object, positional, named);
  } catch (...) {  // no memory, so what follows says so
    PyErr_Clear();
  }
  if (self.held) return 0;
  drop(self);
  return make(object, positional, named);
}

// The arguments by position and by name.
inline std::pair<Ref, Ref> arguments_of(PyObject* object) {
  const ModelObject& self = *model_of(object);
  PyObject* const first = self.given[0].argument.object();
  if (PyObject_TypeCheck(object, types.location_scale))
    return {Ref(PyTuple_Pack(2, first, self.given[1].argument.object())),
            Ref(Py_BuildValue("{s:i,s:i}", "low", self.bounds.low, "high", self.bounds.high))};
  if (PyObject_TypeCheck(object, types.categories)) {
    const bool logits = CategoryLayout{self.numbers, DType::kFloat32, 1, 0}.logits();
    return {Ref(PyTuple_New(0)), Ref(Py_BuildValue("{s:O}", logits ? "logits" : "probs", first))};
  }
  if (!self.each) return {Ref(PyTuple_Pack(2, first, self.components.front().get())), Ref()};
  const Ref components(PyTuple_New(static_cast<Py_ssize_t>(self.components.size())));
  for (std::size_t k = 0; components && k < self.components.size(); ++k)
    PyTuple_SET_ITEM(components.get(), static_cast<Py_ssize_t>(k),
                     Py_NewRef(self.components[k].get()));
  return {Ref(components ? PyTuple_Pack(2, first, components.get()) : nullptr), Ref()};
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
  const auto [positional, named] = arguments_of(object);
  const Ref other(model_new(Py_TYPE(object), nullptr, nullptr));
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
  for (const Given& given : model_of(object)->given) Py_VISIT(given.argument.object());
  for (const Ref& component : model_of(object)->components) Py_VISIT(component.get());
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
  std::destroy_at(&model_of(object)->given);
  std::destroy_at(&model_of(object)->components);
  type->tp_free(object);
  Py_DECREF(type);
}

template <Take kTake>
PyTypeObject* add_type(py::module_& m, const char* name, const char* documentation) {
  static std::array methods{PyMethodDef{"__getstate__", model_getstate, METH_NOARGS, nullptr},
                            PyMethodDef{}};
  const auto slot = [](auto* function) { return reinterpret_cast<void*>(function); };
  std::array slots{PyType_Slot{Py_tp_doc, const_cast<char*>(documentation)},
                   PyType_Slot{Py_tp_new, slot(&model_new)},
                   PyType_Slot{Py_tp_init, slot(&model_init<kTake>)},
                   PyType_Slot{Py_tp_getattro, slot(&model_getattro)},
                   PyType_Slot{Py_tp_setattro, slot(&model_setattro)},
                   PyType_Slot{Py_tp_traverse, slot(&model_traverse)},
                   PyType_Slot{Py_tp_clear, slot(&model_clear)},
                   PyType_Slot{Py_tp_methods, methods.data()},
                   PyType_Slot{Py_tp_dealloc, slot(&model_dealloc)},
                   PyType_Slot{0, nullptr}};
  PyType_Spec spec{name, sizeof(ModelObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  PyObject* const type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  m.add_object(std::string_view(name).substr(std::string_view("torchac._core.").size()).data(),
               py::reinterpret_borrow<py::object>(type));
  return reinterpret_cast<PyTypeObject*>(type);
}

inline void add_types(py::module_& m) {
  types.location_scale = add_type<take_location_scale>(
      m, "torchac._core.LocationScale", "The base of models that have a location and a scale.");
  types.mixture = add_type<take_mixture>(m, "torchac._core.Mixture", "The base of mixtures.");
  types.categories =
      add_type<take_categories>(m, "torchac._core.Categories", "The base of models of categories.");
}

}  // namespace torchac::python::quick
