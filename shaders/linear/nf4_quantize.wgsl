// Quantizes rows of a weight matrix to NF4, exactly as bitsandbytes does: blocks of 64 consecutive values of the
// row-major matrix, absmax = max|w|, x = w·(1/absmax) with a correctly rounded reciprocal, code = how many
// thresholds lie strictly below x. Codes go out in the layout of nf4_matmul. Eight threads share a block, eight
// values each; the source is a run of whole blocks beginning at flat element `first`.
// References: T. Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", arXiv:2305.14314; bitsandbytes,
// csrc/kernels.cu (kQuantizeBlockwise).

struct Params { blocks: u32, first_block: u32, out_features: u32, in_features: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;
@group(0) @binding(3) var<storage, read_write> absmax: array<f32>;

// How the source stores a value: 0 = bf16, 1 = f16, 2 = f32.
override FORMAT: u32 = 0u;

const THRESHOLDS = array<f32, 15>(
  -0.8480963706970215, -0.6106328964233398, -0.4599952697753906, -0.33967941999435425, -0.23460739850997925,
  -0.13791173696517944, -0.045525018125772476, 0.03979014977812767, 0.120255246758461, 0.2035212516784668,
  0.2920137643814087, 0.3893125355243683, 0.5016634464263916, 0.6427869200706482, 0.8614784479141235);

var<workgroup> peaks: array<f32, 64>;

fn bf16(word: u32) -> vec2f {
  return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}

fn f16(word: u32) -> vec2f { return unpack2x16float(word); }

fn halves(word: u32) -> vec2f {
  if (FORMAT == 0u) { return bf16(word); }
  return f16(word);
}

// 1/a rounded to nearest for a normal a below 2^126: long division of the mantissas. WGSL's own division may be
// 2.5 units off, and one unit moves codes.
fn reciprocal(a: f32) -> f32 {
  let bits = bitcast<u32>(a);
  let exponent = bits >> 23u;
  if (exponent == 0u || exponent >= 253u) { return 1.0 / a; }
  let mantissa = (bits & 0x7fffffu) | 0x800000u;
  if (mantissa == 0x800000u) { return bitcast<f32>((254u - exponent) << 23u); }
  var remainder = 0x800000u;
  var quotient = 0u;
  for (var i = 0u; i < 24u; i++) {
    remainder <<= 1u;
    quotient <<= 1u;
    if (remainder >= mantissa) {
      remainder -= mantissa;
      quotient |= 1u;
    }
  }
  if (2u * remainder >= mantissa) { quotient++; }
  // A carry out of the mantissa lands in the exponent, where it belongs.
  return bitcast<f32>(((252u - exponent) << 23u) + quotient);
}

fn code_of(x: f32) -> u32 {
  var code = 0u;
  for (var i = 0u; i < 15u; i++) { code += select(0u, 1u, x > THRESHOLDS[i]); }
  return code;
}

fn codes_of(v: vec4f) -> u32 {
  return code_of(v.x) | (code_of(v.y) << 4u) | (code_of(v.z) << 8u) | (code_of(v.w) << 12u);
}

fn peak4(v: vec4f) -> f32 {
  let m = abs(v);
  return max(max(m.x, m.y), max(m.z, m.w));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = (group.x + group.y * groups.x) * 8u + lane / 8u;
  let part = lane % 8u;
  let live = block < p.blocks;
  var low = vec4f();
  var high = vec4f();
  if (live) {
    if (FORMAT == 2u) {
      low = bitcast<vec4f>(source[(block * 8u + part) * 2u]);
      high = bitcast<vec4f>(source[(block * 8u + part) * 2u + 1u]);
    } else {
      let w = source[block * 8u + part];
      low = vec4f(halves(w.x), halves(w.y));
      high = vec4f(halves(w.z), halves(w.w));
    }
  }
  peaks[lane] = max(peak4(low), peak4(high));
  workgroupBarrier();
  var peak = 0.0;
  for (var i = 0u; i < 8u; i++) { peak = max(peak, peaks[lane - part + i]); }
  if (!live) { return; }
  let number = p.first_block + block;
  if (part == 0u) { absmax[number] = peak; }
  var scale = 0.0;
  if (peak > 0.0) { scale = reciprocal(peak); }
  let word = codes_of(low * scale) | (codes_of(high * scale) << 16u);
  let flat = number * 64u + part * 8u;
  let n = flat / p.in_features;
  let k = flat % p.in_features;
  codes[((k / 32u) * p.out_features + n) * 4u + (k / 8u) % 4u] = word;
}
