import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextSteps, stoppedWarning } from '../../src/cli/stack-notes.ts';
import { identify } from '../../src/stack/process-table.ts';
import { serviceNames } from '../../src/stack/service.ts';
import type { ServiceState, StackState } from '../../src/stack/state.ts';

describe('what comes after `ferry stack up`', () => {
  it('three lines for a whole stack, and what its embeddings are', () => {
    const text = nextSteps(serviceNames, undefined);
    assert.match(text, /Next:\n +eval "\$\(ferry stack env\)" .*\n +ferry run, .*\n +ferry stack down .*\n/u);
    assert.match(text, /offline imitation.*\n.*trying out only/u);
  });

  it('names the folder, and leaves out what the stack does not have', () => {
    const text = nextSteps(['temporal'], '/srv/a');
    assert.match(text, /ferry stack env --dir \/srv\/a/u);
    assert.match(text, /ferry stack down --dir \/srv\/a/u);
    assert.doesNotMatch(text, /imitation|MYSQL_TABLE/u);
  });
});

describe('the settings of a stack that does not run', () => {
  const alive = identify(process.pid)!;
  const gone = { ...alive, startedAt: '1@another-boot' };
  const service = (kind: string, ...processes: (typeof alive)[]): ServiceState =>
    ({ resolution: { kind }, processes }) as unknown as ServiceState;
  const warning = (services: StackState['services']) => stoppedWarning({ services });

  it('come with a warning: of all, or of those that are down', () => {
    const down = service('program', gone);
    assert.match(
      warning({ temporal: down, qdrant: service('program') }) ?? '',
      /stack does not run;.*stack up/u,
    );
    assert.match(
      warning({ temporal: service('program', alive), qdrant: down }) ?? '',
      /of the stack qdrant/iu,
    );
  });

  it('come without one where everything runs, or runs elsewhere', () => {
    assert.equal(warning({ temporal: service('program', alive), qdrant: service('address') }), null);
  });
});
