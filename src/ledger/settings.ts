import { z } from 'zod';

const KEY_EXPECTED = 'expected the service-role key of the project (a JWT of service_role, or sb_secret_…)';

/** Where the ledger is; without SUPABASE_URL there is none. */
export const ledgerSettings = z
  .object({
    SUPABASE_URL: z
      .url({ protocol: /^https?$/u, error: 'expected a URL such as https://project.supabase.co' })
      .optional()
      .describe('URL of the Supabase project that mirrors progress; unset: no ledger.'),
    SUPABASE_KEY: z
      .string()
      .superRefine((key, context) => {
        const problem = keyProblem(key);
        if (problem !== null) context.addIssue({ code: 'custom', message: `${KEY_EXPECTED}; ${problem}` });
      })
      .optional()
      .describe('Service-role key of the Supabase project; needed with SUPABASE_URL.'),
  })
  .superRefine((settings, context) => {
    if (settings.SUPABASE_URL !== undefined && settings.SUPABASE_KEY === undefined) {
      const message = `${KEY_EXPECTED}, since SUPABASE_URL is set`;
      context.addIssue({ code: 'custom', path: ['SUPABASE_KEY'], message });
    }
    if (isOfAnotherProject(settings)) {
      const message = `${KEY_EXPECTED}; this one is of another project than SUPABASE_URL`;
      context.addIssue({ code: 'custom', path: ['SUPABASE_KEY'], message });
    }
  });

/** Output of {@link ledgerSettings}. */
export type LedgerSettings = z.output<typeof ledgerSettings>;

/** Keys that can never write the ledger are told apart here, not by a halted job. */
function keyProblem(key: string): string | null {
  if (key.startsWith('sb_publishable_')) return 'this one is publishable';
  const role = claimOf(key, 'role');
  return role === 'anon' || role === 'authenticated' ? `this one is of the role ${role}` : null;
}

/** A key in the old form names its project, and so does the address that Supabase gives it. */
function isOfAnotherProject(settings: { SUPABASE_URL?: string; SUPABASE_KEY?: string }): boolean {
  const { SUPABASE_URL: url = '', SUPABASE_KEY: key = '' } = settings;
  const project = /^https:\/\/([a-z\d]+)\.supabase\.co(?:[/:]|$)/u.exec(url)?.[1];
  const keyProject = claimOf(key, 'ref');
  return project !== undefined && typeof keyProject === 'string' && keyProject !== project;
}

/** A claim of the key, or null if the key is no JWT or has no such claim. */
function claimOf(key: string, name: 'role' | 'ref'): unknown {
  const claims = key.split('.')[1];
  if (claims === undefined) return null;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
    return typeof parsed === 'object' && parsed !== null
      ? ((parsed as Record<string, unknown>)[name] ?? null)
      : null;
  } catch {
    return null;
  }
}
