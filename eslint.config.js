import {includeIgnoreFile} from '@eslint/compat'
import oclif from 'eslint-config-oclif'
import prettier from 'eslint-config-prettier'
import {fileURLToPath} from 'node:url'

export default [
  includeIgnoreFile(fileURLToPath(new URL('.gitignore', import.meta.url))),
  {linterOptions: {reportUnusedDisableDirectives: 'error'}},
  ...oclif,
  prettier,
  {
    rules: {
      // Binary formats are read by position: the order of fields is the order of bytes, not of the alphabet.
      'perfectionist/sort-objects': 'off',
      'perfectionist/sort-interfaces': 'off',
      'perfectionist/sort-classes': 'off',
      'perfectionist/sort-modules': 'off',
      'perfectionist/sort-switch-case': 'off',
      'perfectionist/sort-union-types': 'off',
      'perfectionist/sort-object-types': 'off',
      'perfectionist/sort-imports': 'off',
      'perfectionist/sort-sets': 'off',
      'perfectionist/sort-enums': 'off',
      // Pages of a table and chunks of a file come one after the other on purpose: memory stays bounded.
      'no-await-in-loop': 'off',
      'no-bitwise': 'off',
      'unicorn/no-array-callback-reference': 'off',
      'unicorn/no-array-reduce': 'off',
      'unicorn/no-null': 'off',
      'unicorn/prefer-set-has': 'off',
      'mocha/max-top-level-suites': 'off',
      'unicorn/consistent-function-scoping': 'off',
      'max-params': ['error', 5],
      'unicorn/prefer-event-target': 'off',
      'unicorn/prevent-abbreviations': 'off',
      'unicorn/number-literal-case': 'off',
      'unicorn/numeric-separators-style': 'off',
      'no-constant-condition': ['error', {checkLoops: false}],
      'no-unmodified-loop-condition': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      'n/no-unsupported-features/node-builtins': 'off',
      'n/no-unpublished-bin': 'off',
      'n/no-extraneous-import': 'off',
      'n/no-process-exit': 'off',
      'unicorn/no-process-exit': 'off',
      'n/no-missing-import': 'off',
      camelcase: 'off',
      '@stylistic/lines-between-class-members': 'off',
      'import/no-unresolved': 'off', // the compiler resolves imports
      'import/no-named-as-default-member': 'off', // fast-check documents `fc.`
      'jsdoc/check-param-names': 'off',
      complexity: 'off',
    },
  },
  {
    files: ['test/**/support/**/*.ts'],
    rules: {'mocha/no-exports': 'off', 'mocha/no-top-level-hooks': 'off'},
  },
  {
    files: ['core/wasm/**/*.ts'],
    rules: {
      'no-undef': 'off', // AssemblyScript has types and functions of its own, which its compiler checks
      'unicorn/prefer-number-properties': 'off', // its isNaN is not that of JavaScript
    },
  },
  {
    files: ['plugins/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@chops/*', '!@chops/core', '!@chops/core/*'],
              message: 'Plugins stand on @chops/core alone.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['**/services/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@chops/*', '!@chops/core', '!@chops/core/*'],
              message: 'Plugins stand on @chops/core alone.',
            },
            {
              group: ['@oclif/*', 'listr2', '@chops/core/command'],
              message: 'Services know no flags and no terminal.',
            },
          ],
        },
      ],
    },
  },
]
