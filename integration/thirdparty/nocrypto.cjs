// The framework loads a native library for encryption, which is no package of npm but a download from
// elsewhere. The bridge here does not encrypt, and gets an empty one.
const Module = require("node:module");
const load = Module._load;
Module._load = function (name, ...rest) {
  if (name === "@matrix-org/matrix-sdk-crypto-nodejs") {
    return new Proxy({}, { get: (target, key) => (key === "__esModule" ? undefined : class {}) });
  }
  return load.call(this, name, ...rest);
};
