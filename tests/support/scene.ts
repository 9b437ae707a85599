import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeSource } from '../../src/cli/node-files.ts';
import { openSafetensors, readTensor } from '../../src/formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../src/formats/safetensors-write.ts';
import { joinBytes } from './memory-folder.ts';
import { type CaseName, casePath } from './model-case.ts';

/** A reference case's files in a temporary folder, for breaking. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'retune-scene-'));

  constructor(name: CaseName = 'chat_messages') {
    for (const part of ['base', 'v1', 'train.jsonl', 'val.jsonl', 'questions.json', 'training_config.yaml']) {
      cpSync(casePath(name, part), join(this.folder, part), { recursive: true });
    }
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  exists(...parts: string[]): boolean {
    return existsSync(this.path(...parts));
  }

  write(file: string, content: string | Uint8Array): void {
    writeFileSync(this.path(file), content);
  }

  remove(file: string): void {
    rmSync(this.path(file));
  }

  /** Rewrites a file's bytes. */
  bytes(file: string, change: (bytes: Buffer) => Uint8Array): void {
    this.write(file, change(readFileSync(this.path(file))));
  }

  /** Changes keys of a JSON file. */
  json(file: string, change: object): void {
    const json = JSON.parse(readFileSync(this.path(file), 'utf8')) as object;
    this.write(file, JSON.stringify({ ...json, ...change }));
  }

  /** Changes a safetensors header, and leaves the data as it is. */
  header(file: string, change: (text: string) => string): void {
    this.bytes(file, (bytes) => {
      const end = 8 + Number(bytes.readBigUInt64LE());
      const header = Buffer.from(change(bytes.toString('utf8', 8, end)));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      return Buffer.concat([length, header, bytes.subarray(end)]);
    });
  }

  /** Writes a safetensors file anew with other tensors. */
  async tensors(file: string, change: (tensors: TensorData[]) => TensorData[]): Promise<void> {
    const read = await openSafetensors(await nodeSource(this.path(file)));
    const tensors: TensorData[] = [];
    for (const info of read.tensors.values()) {
      tensors.push({ name: info.name, dtype: info.dtype, shape: info.shape, data: await readTensor(info) });
    }
    this.write(file, joinBytes(writeSafetensors(change(tensors), read.metadata)));
  }

  /** The arguments of a fine-tuning on these files; `options` replaces some or, with undefined, omits them. */
  finetune(options: Record<string, string | undefined> = {}): string[] {
    const all = {
      base: this.path('base'),
      'source-model': this.path('v1'),
      'train-data': this.path('train.jsonl'),
      config: this.path('training_config.yaml'),
      output: this.path('v2'),
      ...options,
    };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return ['finetune', ...given.flatMap(([key, value]) => [`--${key}`, value])];
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}
