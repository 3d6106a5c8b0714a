#include "schema_diff.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string_view>

#include <flatbuffers/reflection.h>
#include <flatbuffers/reflection_generated.h>

namespace orders {
namespace {

// By their names without namespaces: a schema may be compiled into another one beside its older
// self.
std::string_view NameOf(const flatbuffers::String& full) {
  const std::string_view name(full.c_str(), full.size());
  return name.substr(name.rfind('.') + 1);
}

template <class List>
auto Find(const List& list, std::string_view name) -> decltype(*list.begin()) {
  for (const auto* each : list) {
    if (NameOf(*each->name()) == name) return each;
  }
  return nullptr;
}

class SchemaDiff {
 public:
  SchemaDiff(const reflection::Schema& older, const reflection::Schema& newer)
      : older_(older), newer_(newer) {}

  std::string Run() {
    for (const reflection::Object* object : *older_.objects()) {
      const std::string name(NameOf(*object->name()));
      const reflection::Object* const now = Find(*newer_.objects(), name);
      if (now == nullptr) {
        Add(name + " is gone");
      } else if (object->is_struct() || now->is_struct()) {
        CompareStructs(name, *object, *now);
      } else {
        CompareTables(name, *object, *now);
      }
    }
    for (const reflection::Enum* each : *older_.enums()) CompareEnums(*each);
    return faults_;
  }

 private:
  void CompareTables(const std::string& table, const reflection::Object& was,
                     const reflection::Object& now) {
    for (const reflection::Field* field : *was.fields()) {
      CompareFields(table + "." + field->name()->str(), *field, now);
    }
    for (const reflection::Field* field : *now.fields()) {
      const std::string name = table + "." + field->name()->str();
      if (Find(*was.fields(), field->name()->string_view()) != nullptr) continue;
      if (field->id() < was.fields()->size()) Add(name + " is new, but not at the end");
      if (field->required()) Add(name + " is new and required: no older message has it");
    }
  }
  void CompareFields(const std::string& name, const reflection::Field& was,
                     const reflection::Object& now_in) {
    const reflection::Field* const now = Find(*now_in.fields(), was.name()->string_view());
    if (now == nullptr) return Add(name + " is gone or renamed; make it (deprecated)");
    if (now->id() != was.id()) Add(name + " has another place");
    if (!IsSameType(*was.type(), *now->type())) Add(name + " has another type");
    if (now->default_integer() != was.default_integer() ||
        now->default_real() != was.default_real()) {
      Add(name + " has another default");
    }
    if (now->required() && !was.required()) Add(name + " is required now");
    if (!now->required() && was.required()) Add(name + " is not required any more");
  }
  // Stored without room to grow.
  void CompareStructs(const std::string& name, const reflection::Object& was,
                      const reflection::Object& now) {
    bool is_same = was.is_struct() == now.is_struct() && was.bytesize() == now.bytesize() &&
                   was.fields()->size() == now.fields()->size();
    for (const reflection::Field* field : *was.fields()) {
      const reflection::Field* const other = Find(*now.fields(), field->name()->string_view());
      is_same = is_same && other != nullptr && other->offset() == field->offset() &&
                IsSameType(*field->type(), *other->type());
    }
    if (!is_same) Add(name + " is a struct, which cannot change");
  }
  void CompareEnums(const reflection::Enum& was) {
    const std::string name(NameOf(*was.name()));
    const reflection::Enum* const now = Find(*newer_.enums(), name);
    if (now == nullptr) return Add(name + " is gone");
    for (const reflection::EnumVal* value : *was.values()) {
      const reflection::EnumVal* const other = Find(*now->values(), value->name()->string_view());
      if (other == nullptr || other->value() != value->value()) {
        Add(name + "." + value->name()->str() + " is gone or has another number");
      }
    }
  }

  bool IsSameType(const reflection::Type& was, const reflection::Type& now) const {
    if (was.base_type() != now.base_type() || was.element() != now.element() ||
        was.fixed_length() != now.fixed_length() || (was.index() < 0) != (now.index() < 0)) {
      return false;
    }
    return was.index() < 0 || TypeName(older_, was) == TypeName(newer_, now);
  }
  // Of a table, struct, enum or union.
  static std::string_view TypeName(const reflection::Schema& schema, const reflection::Type& type) {
    const auto index = static_cast<flatbuffers::uoffset_t>(type.index());
    const bool is_object = type.base_type() == reflection::Obj || type.element() == reflection::Obj;
    return is_object ? NameOf(*schema.objects()->Get(index)->name())
                     : NameOf(*schema.enums()->Get(index)->name());
  }

  void Add(const std::string& fault) { faults_ += "\n  " + fault; }

  const reflection::Schema& older_;
  const reflection::Schema& newer_;
  std::string faults_;
};

const reflection::Schema* SchemaIn(const std::string& bytes) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(begin, bytes.size());
  return reflection::VerifySchemaBuffer(verifier) ? reflection::GetSchema(begin) : nullptr;
}

}  // namespace

std::string DiffSchemas(const std::string& older, const std::string& newer) {
  const reflection::Schema* const was = SchemaIn(older);
  const reflection::Schema* const now = SchemaIn(newer);
  if (was == nullptr || now == nullptr) return "\n  one of them is no compiled schema";
  return SchemaDiff(*was, *now).Run();
}

std::string ReadFile(const std::string& path) {
  std::stringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

}  // namespace orders
