#include "addon/instance.h"
namespace dyno::addon {
void exportCuda(Napi::Env, Napi::Object) {}
}
