// Writes a model folder of the exact Qwen2.5-1.5B shapes with seeded pseudo-random bf16 weights (3.1 GB, streamed):
// what loading, memory and speed are measured on where the real model is not at hand. Its tokenizer is a fixture's,
// of 448 tokens; the embedding keeps Qwen's 151936 rows.
// Usage: node write_synthetic_base.mjs OUT_DIR [--layers N] [--seed N]
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HIDDEN = 1536;
const INTERMEDIATE = 8960;
const HEADS = 12;
const KV_HEADS = 2;
const HEAD_DIM = HIDDEN / HEADS;
const VOCABULARY = 151936;
const CHUNK_VALUES = 1 << 22;

const fixture = join(dirname(fileURLToPath(import.meta.url)), '../fixtures/cases/recipe_text/base');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { layers: { type: 'string', default: '28' }, seed: { type: 'string', default: '1' } },
});
const [outDir] = positionals;
const layers = Number(values.layers);
const seed = Number(values.seed);
if (
  !outDir ||
  positionals.length > 1 ||
  !(Number.isInteger(layers) && layers > 0) ||
  !Number.isInteger(seed)
) {
  console.error('usage: node write_synthetic_base.mjs OUT_DIR [--layers N] [--seed N]');
  process.exit(2);
}

const started = performance.now();
const tensors = listTensors();
mkdirSync(outDir, { recursive: true });
writeWeights(join(outDir, 'model.safetensors'));
writeConfigs();
const parameters = tensors.reduce((sum, tensor) => sum + size(tensor), 0);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`${outDir}: ${layers} layers, ${parameters} parameters, ${2 * parameters} bytes, ${seconds} s`);

/** Every tensor by name with its shape and the mean and deviation of its values, in the order of the file. */
function listTensors() {
  const kv = KV_HEADS * HEAD_DIM;
  const matrix = (name, ...shape) => ({ name, shape, mean: 0, deviation: 0.02 });
  const bias = (name, n) => ({ name, shape: [n], mean: 0, deviation: 0.3 });
  const norm = (name) => ({ name, shape: [HIDDEN], mean: 1, deviation: 0.1 });
  const list = [matrix('model.embed_tokens.weight', VOCABULARY, HIDDEN), norm('model.norm.weight')];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    list.push(
      norm(`${layer}.input_layernorm.weight`),
      norm(`${layer}.post_attention_layernorm.weight`),
      matrix(`${layer}.self_attn.q_proj.weight`, HIDDEN, HIDDEN),
      matrix(`${layer}.self_attn.k_proj.weight`, kv, HIDDEN),
      matrix(`${layer}.self_attn.v_proj.weight`, kv, HIDDEN),
      matrix(`${layer}.self_attn.o_proj.weight`, HIDDEN, HIDDEN),
      bias(`${layer}.self_attn.q_proj.bias`, HIDDEN),
      bias(`${layer}.self_attn.k_proj.bias`, kv),
      bias(`${layer}.self_attn.v_proj.bias`, kv),
      matrix(`${layer}.mlp.gate_proj.weight`, INTERMEDIATE, HIDDEN),
      matrix(`${layer}.mlp.up_proj.weight`, INTERMEDIATE, HIDDEN),
      matrix(`${layer}.mlp.down_proj.weight`, HIDDEN, INTERMEDIATE),
    );
  }
  return list.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function size({ shape }) {
  return shape.reduce((product, n) => product * n, 1);
}

function writeWeights(path) {
  const file = openSync(path, 'w');
  writeSync(file, safetensorsHeader());
  const chunk = new Uint16Array(CHUNK_VALUES);
  const normals = normalTable();
  for (const tensor of tensors) {
    const table = normals.map((x) => tensor.mean + tensor.deviation * x);
    const halves = Uint16Array.from(new Uint32Array(table.buffer), bf16);
    // seeded by name, so that a tensor is the same whatever the number of layers
    let state = hash(`${seed}:${tensor.name}`);
    for (let left = size(tensor); left > 0; left -= CHUNK_VALUES) {
      const n = Math.min(left, CHUNK_VALUES);
      for (let i = 0; i < n; i += 2) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        chunk[i] = halves[state & 0xffff];
        chunk[i + 1] = halves[state >>> 16];
      }
      writeFully(file, new Uint8Array(chunk.buffer, 0, 2 * n));
    }
  }
  closeSync(file);
}

function safetensorsHeader() {
  const header = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + 2 * size(tensor);
    header[tensor.name] = { dtype: 'BF16', shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (json.length % 8)) % 8);
  const bytes = Buffer.alloc(8 + json.length);
  bytes.writeBigUInt64LE(BigInt(json.length));
  bytes.write(json, 8);
  return bytes;
}

function writeFully(file, bytes) {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done);
  }
}

/** 65536 standard normal values in f32: drawing one takes 16 random bits. */
function normalTable() {
  const table = new Float32Array(65536);
  let state = hash(`${seed}:normal`);
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < table.length; i++) {
    table[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }
  return table;
}

/** The upper half of an f32's bits, rounded to even. */
function bf16(bits) {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** FNV-1a, never 0. */
function hash(text) {
  let h = 0x811c9dc5;
  for (const char of text) {
    h = Math.imul(h ^ char.codePointAt(0), 0x01000193);
  }
  return h || 1;
}

function writeConfigs() {
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    copyFileSync(join(fixture, name), join(outDir, name));
  }
  const added = JSON.parse(readFileSync(join(fixture, 'tokenizer.json'), 'utf8')).added_tokens;
  const idOf = (content) => added.find((token) => token.content === content).id;
  const ids = { bos_token_id: idOf('<|endoftext|>'), eos_token_id: idOf('<|im_end|>') };
  writeJson('config.json', {
    architectures: ['Qwen2ForCausalLM'],
    attention_dropout: 0.0,
    ...ids,
    hidden_act: 'silu',
    hidden_size: HIDDEN,
    initializer_range: 0.02,
    intermediate_size: INTERMEDIATE,
    max_position_embeddings: 32768,
    max_window_layers: 28,
    model_type: 'qwen2',
    num_attention_heads: HEADS,
    num_hidden_layers: layers,
    num_key_value_heads: KV_HEADS,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000.0,
    sliding_window: null,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
    use_cache: true,
    use_sliding_window: false,
    vocab_size: VOCABULARY,
  });
  writeJson('generation_config.json', { ...ids, pad_token_id: ids.bos_token_id, do_sample: false });
}

function writeJson(name, value) {
  writeFileSync(join(outDir, name), JSON.stringify(value, null, 2) + '\n');
}
