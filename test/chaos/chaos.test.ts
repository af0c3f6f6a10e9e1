import { describeRounds } from './ten-rounds.ts';

describeRounds([0, 2, 4, 6, 8]);
