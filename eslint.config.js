import js from '@eslint/js';
import simpleImportSort from 'eslint-plugin-simple-import-sort';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// Layers, and which others each may import; a layer that is not listed is an entry point and may import all below it.
// From comparison down the code knows neither the DOM nor Node.
const LAYERS = {
  engine: [
    'handover',
    'export',
    'bench',
    'corrections',
    'comparison',
    'run',
    'train',
    'generate',
    'model',
    'gpu',
    'text',
    'formats',
    'storage',
    'platform',
  ],
  handover: ['export', 'run', 'train', 'model', 'text', 'formats'],
  export: ['comparison', 'run', 'model', 'gpu', 'text', 'formats'],
  bench: ['run', 'train', 'generate', 'model', 'gpu', 'text', 'formats'],
  corrections: ['comparison', 'train', 'text', 'formats'],
  comparison: ['run', 'train', 'generate', 'model', 'gpu', 'text', 'formats'],
  run: ['train', 'generate', 'model', 'gpu', 'text', 'formats'],
  train: ['model', 'gpu', 'text', 'formats'],
  generate: ['model', 'gpu', 'text', 'formats'],
  model: ['gpu', 'text', 'formats'],
  gpu: ['formats'],
  storage: ['corrections', 'comparison', 'run', 'generate', 'model', 'gpu', 'text', 'formats', 'platform'],
  platform: ['gpu', 'formats'],
  text: ['formats'],
  formats: [],
};
const ALL = [...Object.keys(LAYERS), 'app', 'cli', 'serve'];
/** Layers of the page; all others but the entry points run in Node too. */
const OF_THE_PAGE = ['engine', 'storage', 'platform'];
const HOST_PACKAGES = [
  'lit',
  'lit/*',
  '@lit/*',
  'comlink',
  'idb-keyval',
  'webgpu',
  'commander',
  'cli-progress',
];
const NODE_MODULES = [
  'node:*',
  'fs',
  'path',
  'os',
  'crypto',
  'buffer',
  'util',
  'url',
  'process',
  'child_process',
  'fs/*',
];
const HOST_GLOBALS = [
  'document',
  'window',
  'process',
  'Buffer',
  'localStorage',
  'indexedDB',
  '__dirname',
  'require',
];

function layerRule([layer, below]) {
  const ofThePage = OF_THE_PAGE.includes(layer);
  const neither = `src/${layer} runs in the page and in Node: it may use neither's own.`;
  const forbidden = ALL.filter((other) => other !== layer && !below.includes(other));
  return {
    files: [`src/${layer}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ofThePage
              ? { group: NODE_MODULES, message: `src/${layer} runs in the page: no Node.` }
              : { group: [...HOST_PACKAGES, ...NODE_MODULES], message: neither },
            {
              regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
              message: `src/${layer} may import ${below.join(', ') || 'no other layer'} only.`,
            },
          ],
        },
      ],
      ...(!ofThePage && {
        'no-restricted-globals': ['error', ...HOST_GLOBALS.map((name) => ({ name, message: neither }))],
      }),
    },
  };
}

/** The page's features; what two of them need stands in app/shared. Types may be imported from anywhere. */
const FEATURES = ['setup', 'training', 'runs', 'comparison', 'use'];
/** Folders without folders in them, where ../../comparison is the layer and not the feature. */
const FLAT = ['elements', 'shared'];
const featureRule = (folder, forbidden, exceptions = []) => ({
  files: [`src/app/${folder}/**/*.ts`],
  ignores: exceptions.map((file) => `src/app/${folder}/${file}`),
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)${FLAT.includes(folder) ? '' : '+'}(${forbidden.join('|')})/`,
            message: `src/app/${folder} may import from these only types: ${forbidden.join(', ')}; share what both need.`,
            allowTypeImports: true,
          },
        ],
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'tests/fixtures/'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    plugins: { 'simple-import-sort': simpleImportSort },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      curly: 'error',
      eqeqeq: 'error',
      // Node's modules, packages, then our own files from afar to near, without blank lines between.
      'simple-import-sort/imports': ['error', { groups: [['^\\u0000', '^node:', '^@?\\w', '^', '^\\.']] }],
    },
  },
  ...Object.entries(LAYERS).map(layerRule),
  ...FEATURES.map((feature) =>
    featureRule(
      feature,
      FEATURES.filter((other) => other !== feature),
    ),
  ),
  // The session puts the features together.
  featureRule('shared', FEATURES, ['session.ts']),
  featureRule('elements', FEATURES),
  {
    files: ['src/gpu/*.ts', 'src/gpu/kernels/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ regex: '/autotune/', message: 'Kernels know nothing of how they are chosen.' }] },
      ],
    },
  },
);
