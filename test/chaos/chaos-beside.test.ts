import { describeRounds } from './ten-rounds.ts';

describeRounds([1, 3, 5, 7, 9]);
