import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** An answer of a server, and the operation of Qdrant's OpenAPI description that it belongs to. */
export interface Answer {
  readonly method: string;
  /** As OpenAPI spells it, e.g. `/collections/{collection_name}`. */
  readonly route: string;
  readonly status: number;
  /** JSON as it came. */
  readonly text: string;
}

/** Relative to the client's entry, which is all that its package exports. */
const GENERATED = '../types/openapi/generated_schema.d.ts';

/**
 * The client's generated types without what makes them accept any object: it writes every optional schema as a union
 * with `Record<string, unknown>`.
 */
function strictTypes(): string {
  const entry = createRequire(import.meta.url).resolve('@qdrant/js-client-rest');
  const text = readFileSync(join(dirname(entry), GENERATED), 'utf8');
  return text.replaceAll('(Record<string, unknown> | null)', 'null');
}

const HEADER = `
import type { components, paths } from './schema.ts';
type Json<P extends keyof paths, M extends keyof paths[P]> = paths[P][M] extends
  { responses: { 200: { content: { 'application/json': infer T } } } } ? T : never;
type Whole<T> = 'result' extends keyof T
  ? T & { result: NonNullable<T['result' & keyof T]>; status: string; time: number }
  : T;
type Ok<P extends keyof paths, M extends keyof paths[P]> = Whole<Json<P, M>>;
type Refusal = components['schemas']['ErrorResponse'] & { status: { error: string }; time: number };
`;

function constant({ method, route, status, text }: Answer, index: number): string {
  const type = status === 200 ? `Ok<'${route}', '${method.toLowerCase()}'>` : 'Refusal';
  return `export const answer${index}: ${type} =\n${JSON.stringify(JSON.parse(text))};`;
}

/**
 * Compiles each answer as a constant of its type, so that a key that the types do not have, one that is required and
 * missing, and a value of another type are found.
 *
 * @returns a sentence for each, naming route and key
 */
export function deviations(answers: readonly Answer[]): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-openapi-'));
  try {
    const file = join(dir, 'answers.ts');
    writeFileSync(join(dir, 'schema.ts'), strictTypes());
    const lines = HEADER.trim().split('\n');
    // Two lines each, so that the line of an error tells its answer.
    writeFileSync(file, [...lines, ...answers.map(constant)].join('\n'));
    const program = ts.createProgram([file], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts'],
      types: [],
    });
    return ts.getPreEmitDiagnostics(program).map((found) => {
      const message = ts.flattenDiagnosticMessageText(found.messageText, ' ');
      if (found.file?.fileName !== file || found.start === undefined) return message;
      const { line } = found.file.getLineAndCharacterOfPosition(found.start);
      const answer = answers[Math.floor((line - lines.length) / 2)];
      return answer === undefined ? message : `${answer.method} ${answer.route}: ${message}`;
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
}
