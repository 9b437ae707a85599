import { testPacked } from '../support/packed-runs.ts';

testPacked(['chat_messages']);
