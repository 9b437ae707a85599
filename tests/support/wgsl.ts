/** Words of WGSL that the shaders use without declaring them: keywords, types, attributes, builtin values and functions. */
const WORDS = new Set(
  `alias break case const const_assert continue continuing default diagnostic else enable false fn for if let loop override return
  struct switch true var while function private read read_write storage uniform workgroup write
  array atomic bool f16 f32 i32 u32 mat2x4f mat4x2f mat4x4f ptr vec2 vec2f vec2u vec3 vec3f vec3u vec4 vec4f vec4u
  binding builtin compute group off subgroup_uniformity workgroup_size global_invocation_id local_invocation_index
  num_workgroups subgroup_id subgroup_invocation_id workgroup_id
  abs all any atomicLoad atomicOr bitcast clamp dot exp exp2 fma log log2 max min select sqrt transpose unpack2x16float
  storageBarrier workgroupBarrier workgroupUniformLoad subgroupAdd subgroupAny subgroupElect subgroupExclusiveAdd
  atomicMax subgroupMax subgroupShuffleXor subgroups subgroupMatrixLoad subgroupMatrixMultiplyAccumulate subgroupMatrixStore
  subgroup_matrix_left subgroup_matrix_result subgroup_matrix_right row_major col_major`
    .split(/\s+/)
    .filter(Boolean),
);

const tokensOf = (code: string): string[] =>
  code.replace(/\/\/.*/g, ' ').match(/[A-Za-z_]\w*|\d[\w.]*|\S/g) ?? [];

/**
 * The names that a text, or a part of one, declares outside of functions, and those that it uses and declares nowhere; a
 * member of `p`, the parameters, counts as a name of its own where the text does not declare `p`.
 */
export function namesOf(code: string): { declared: Set<string>; free: Set<string> } {
  const tokens = tokensOf(code);
  const declared = new Set<string>();
  const local = new Set<string>();
  const used = new Set<string>();
  let depth = 0;
  let inStruct = false;
  tokens.forEach((token, i) => {
    const [before = '', after = ''] = [tokens[i - 1], tokens[i + 1]];
    if (token === '{' && tokens[i - 2] === 'struct') {
      inStruct = true;
    }
    if (token === '}') {
      inStruct = false;
    }
    if ('({'.includes(token)) {
      depth++;
    }
    if (')}'.includes(token)) {
      depth--;
    }
    if (!/^[A-Za-z_]/.test(token)) {
      return;
    }
    if (declares(tokens, i)) {
      (depth === 0 ? declared : local).add(token);
    } else if (after === ':' && token !== 'default') {
      // A member of a struct is none of the text's names; anything else that has a type is a parameter.
      if (!inStruct) {
        local.add(token);
      }
    } else if (before === '.') {
      if (tokens[i - 2] === 'p' && tokens[i - 3] !== '.') {
        used.add(`p.${token}`);
      }
    } else if (!WORDS.has(token) && !(token === 'p' && after === '.')) {
      used.add(token);
    }
  });
  const free = [...used].filter(
    (name) => !declared.has(name) && !local.has(name) && !(name.startsWith('p.') && declared.has('p')),
  );
  return { declared, free: new Set(free) };
}

/** Whether the name at `i` is what `fn`, `let` and the like, or `var<…>`, declare. */
function declares(tokens: readonly string[], i: number): boolean {
  if (['fn', 'struct', 'alias', 'const', 'override', 'let', 'var'].includes(tokens[i - 1] ?? '')) {
    return true;
  }
  const begin = tokens[i - 1] === '>' ? tokens.lastIndexOf('<', i) : 0;
  return begin > 0 && tokens[begin - 1] === 'var';
}
