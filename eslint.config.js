import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// The house has floors, and imports point down: app → worker → (bench →) run → train, generate → model → gpu → shaders;
// formats and text are leaves that any floor may use. The floors below the doors know neither page nor Node.
const floors = [
  'app',
  'worker',
  'cli',
  'bench',
  'run',
  'train',
  'generate',
  'model',
  'gpu',
  'text',
  'formats',
];
const mayUse = {
  bench: ['run', 'train', 'generate', 'model', 'gpu', 'text', 'formats'],
  run: ['train', 'generate', 'model', 'gpu', 'text', 'formats'],
  train: ['model', 'gpu', 'text', 'formats'],
  generate: ['model', 'gpu', 'text', 'formats'],
  model: ['gpu', 'text', 'formats'],
  gpu: ['formats'],
  text: ['formats'],
  formats: [],
};
const doors = [
  'lit',
  'lit/*',
  '@lit/*',
  'comlink',
  'idb-keyval',
  'webgpu',
  'commander',
  'cli-progress',
  'node:*',
];
const nodeBuiltins = [
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
const hostGlobals = [
  'document',
  'window',
  'process',
  'Buffer',
  'localStorage',
  'indexedDB',
  '__dirname',
  'require',
];

const floorRule = (floor) => ({
  files: [`src/${floor}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: [...doors, ...nodeBuiltins],
            message: `src/${floor} serves both doors: no page, no Node.`,
          },
          ...[...floors, 'storage', 'platform']
            .filter((other) => other !== floor && !mayUse[floor].includes(other))
            .map((other) => ({
              regex: `^(\\.\\./)+${other}/`,
              message: `src/${floor} may not import src/${other}.`,
            })),
        ],
      },
    ],
    'no-restricted-globals': [
      'error',
      ...hostGlobals.map((name) => ({ name, message: `src/${floor} serves both doors: no page, no Node.` })),
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'tests/fixtures/'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
    },
  },
  ...Object.keys(mayUse).map(floorRule),
);
