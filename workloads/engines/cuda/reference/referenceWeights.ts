import type { TransformerShape } from '../device.ts';
import { randomWeight, weightKey } from '../randomWeights.ts';
import { expectedTensors } from '../tensorNames.ts';
import type { ReferenceWeights } from './forward.ts';

/** The random weights that a device draws from the same seed, made when first asked for. */
export function randomReferenceWeights(shape: TransformerShape, seed: number): ReferenceWeights {
  const expected = new Map(expectedTensors(shape).map((tensor) => [tensor.name, tensor]));
  const made = new Map<string, Float64Array>();
  return {
    tensor(name) {
      const known = made.get(name);
      if (known !== undefined) return known;
      const tensor = expected.get(name);
      if (tensor === undefined) throw new RangeError(`no tensor ${name}`);
      const key = weightKey(seed, name);
      const size = tensor.shape.reduce((product, n) => product * n, 1);
      const values = new Float64Array(size);
      for (let i = 0; i < size; i++) values[i] = randomWeight(key, i, tensor.centre, tensor.scale);
      made.set(name, values);
      return values;
    },
  };
}

/** Values of a stored tensor. */
export function decodeTensor(dtype: string, bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'F32':
      return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
    case 'BF16': {
      const word = new DataView(new ArrayBuffer(4));
      return Float64Array.from({ length: bytes.length / 2 }, (_, i) => {
        word.setUint32(0, view.getUint16(2 * i, true) << 16);
        return word.getFloat32(0);
      });
    }
    case 'F16':
      return Float64Array.from({ length: bytes.length / 2 }, (_, i) => half(view.getUint16(2 * i, true)));
    default:
      throw new RangeError(`dtype ${dtype}`);
  }
}

/** IEEE half precision: 1 sign, 5 exponent, 10 fraction bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
