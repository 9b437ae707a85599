import { expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { linearModules } from '../../../src/formats/decoder-weights.ts';
import { doubleQuantize, quantizeNf4, signedDynamicMap } from '../../../src/formats/nf4.ts';
import { readTensor, readTensorF32 } from '../../../src/formats/safetensors.ts';
import type { Nf4Weight } from '../../../src/gpu/kernels/linear/nf4-operands.ts';
import { allocateBase } from '../../../src/model/base/allocate.ts';
import { DamagedImage, readImage, writeImage } from '../../../src/model/base/cache/packed-image.ts';
import { baseTensors } from '../../../src/model/base/read/ingest.ts';
import { Upload } from '../../../src/model/base/read/upload.ts';
import { deviceBytes } from '../../support/device-bytes.ts';
import { testGpu } from '../../support/gpu.ts';
import { joinBytes } from '../../support/memory-folder.ts';
import { type CaseName, casePath } from '../../support/model-case.ts';
import { deviceCodes } from '../../support/nf4.ts';

/** Loads a case's base, read and staged in chunks of `chunkBytes`. */
async function load(name: CaseName, doubleQuant: boolean, chunkBytes: number) {
  const { gpu } = await testGpu();
  const model = await openBaseModel(await nodeFolder(casePath(name, 'base')));
  const weights = allocateBase(gpu, model, { doubleQuant, positions: 8 });
  const upload = new Upload(gpu, chunkBytes);
  const before = gpu.memory.total;
  let bytes = 0;
  const wanted = baseTensors(upload, model, weights);
  await upload.run(wanted, (more) => (bytes += more));
  expect(bytes).toBe(wanted.reduce((sum, { begin, end }) => sum + end - begin, 0));
  expect(gpu.memory.total).toBe(before);
  upload.close();
  return { model, weights };
}

it.each(['recipe_text', 'llama_sharded', 'qwen3', 'prequant', 'dynamic'] as const)(
  '%s: the same bytes come to the device however the files are cut',
  async (name) => {
    const { stream } = await testGpu();
    const whole = await deviceBytes(stream, (await load(name, true, 2 ** 24)).weights);
    const cut = await deviceBytes(stream, (await load(name, true, 2 ** 11)).weights);
    expect(Object.keys(whole).length).toBeGreaterThan(20);
    expect(cut).toEqual(whole);
  },
);

it.each([true, false])('every weight is what quantizing on the CPU gives (scales too: %s)', async (twice) => {
  const { stream } = await testGpu();
  const { model, weights } = await load('recipe_text', twice, 2 ** 13);
  const found = await deviceBytes(stream, weights);
  for (const { name, layer, projection, shape } of linearModules(model.config)) {
    const { packed, absmax } = quantizeNf4(await readTensorF32(model.tensors.get(`${name}.weight`)!));
    const words = found[`layers.${layer}.${projection}.codes`] as Uint8Array;
    expect(new Uint32Array(words.buffer), name).toEqual(deviceCodes(packed, ...shape));
    const { codes, absmax2, offset } = doubleQuantize(absmax);
    const nested = [codes, new Uint8Array(codes.length % 4), absmax2, signedDynamicMap()];
    expect(found[`layers.${layer}.${projection}.scales`], name).toEqual(
      joinBytes((twice ? nested : [absmax]).map((part) => new Uint8Array(part.buffer))),
    );
    const { weight } = weights.layers[layer]!.linear[projection];
    expect((weight as Nf4Weight).nested?.offset).toBe(twice ? offset : undefined);
  }
});

it('what a 4-bit base keeps in 16 bits comes to the device as the file has it', async () => {
  const { stream } = await testGpu();
  const { model, weights } = await load('dynamic', true, 2 ** 11);
  const found = await deviceBytes(stream, weights);
  expect(model.kept.size).toBe(9);
  for (const { name, layer, projection } of linearModules(model.config)) {
    const { weight } = weights.layers[layer]!.linear[projection];
    expect('format' in weight, name).toBe(model.kept.has(name));
    if (!model.kept.has(name)) {
      continue;
    }
    expect(found[`layers.${layer}.${projection}.weight`], name).toEqual(
      await readTensor(model.tensors.get(`${name}.weight`)!),
    );
  }
});

it('an image brings back the very same bytes', async () => {
  const { gpu, stream } = await testGpu();
  for (const name of ['qwen3', 'prequant', 'dynamic'] as const) {
    const { model, weights } = await load(name, true, 2 ** 24);
    const chunks: Uint8Array[] = [];
    let told = [0, 0];
    const onProgress = (...progress: [number, number]) => (told = progress);
    const checksum = await writeImage(
      gpu,
      weights,
      async (bytes) => {
        chunks.push(bytes.slice());
      },
      onProgress,
    );
    expect(told[0]).toBe(told[1]);
    const file = joinBytes(chunks);
    const again = allocateBase(gpu, model, { doubleQuant: true, positions: 8 });
    await readImage(gpu, again, bytesSource('image', file), checksum, onProgress);
    expect(told[0]).toBe(told[1]);
    expect(await deviceBytes(stream, again)).toEqual(await deviceBytes(stream, weights));

    file[file.length - 100]! ^= 1;
    const damaged = readImage(gpu, again, bytesSource('image', file), checksum, onProgress);
    await expect(damaged).rejects.toThrow(DamagedImage);
    const other = allocateBase(gpu, (await load('recipe_text', true, 2 ** 24)).model, {
      doubleQuant: true,
      positions: 8,
    });
    const misfit = readImage(gpu, other, bytesSource('image', joinBytes(chunks)), checksum, onProgress);
    await expect(misfit).rejects.toThrow(DamagedImage);
  }
});
