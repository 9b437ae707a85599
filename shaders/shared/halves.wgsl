// Numbers stored in f16, two in a word. Rounded by integers: to nearest, ties to even, the same on every device, and
// past f16's range to infinity, where pack2x16float may leave its largest number or anything else.

// The f16 bits of four numbers.
fn half_bits(v: vec4f) -> vec4u {
  let bits = bitcast<vec4u>(v);
  let size = bits & vec4u(0x7fffffffu);
  // Both formats have their exponent above their mantissa, so a mantissa that rounds up carries into it.
  let normal = (size - 0x38000000u + 0xfffu + ((size >> vec4u(13u)) & vec4u(1u))) >> vec4u(13u);
  // Below f16's least normal number: beside 0.5, the last place of f32 is worth as much as that of f16.
  let small = bitcast<vec4u>(bitcast<vec4f>(size) + 0.5) - 0x3f000000u;
  let finite = select(normal, small, size < vec4u(0x38800000u));
  let half = select(finite, vec4u(0x7c00u), size >= vec4u(0x477ff000u));
  return half | ((bits >> vec4u(16u)) & vec4u(0x8000u));
}

fn pack_halves(v: vec4f) -> vec2u {
  let half = half_bits(v);
  return half.xz | (half.yw << vec2u(16u));
}

fn unpack_halves(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
