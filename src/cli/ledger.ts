import { Command } from 'commander';
import { migrations } from '../stack/migrations.ts';

/** `ferry ledger` */
export function ledgerCommand(): Command {
  return new Command('ledger')
    .description('what a Supabase project needs to hold the ledger')
    .addCommand(sqlCommand());
}

function sqlCommand(): Command {
  return new Command('sql')
    .description('print the SQL that makes the tables of the ledger, for a project that has none')
    .addHelpText(
      'after',
      `
Each part begins with the name of its file; a project that has the first ones needs the others only.

Examples:
  $ ferry ledger sql                      # paste it into the SQL editor of the project
  $ ferry ledger sql | psql "$DATABASE_URL"`,
    )
    .action(() => {
      for (const { file, sql } of migrations()) process.stdout.write(`-- ${file}\n${sql.trimEnd()}\n\n`);
    });
}
