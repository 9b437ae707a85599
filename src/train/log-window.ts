/** What a checkpoint stores of the logging window. */
export interface LogWindowState {
  /** Sum of the losses since the last log entry. */
  sum: number;
  /** Step of the last log entry; 0 before the first. */
  lastLogged: number;
  /** Sum of the losses of all steps logged so far; train_loss = total / steps. */
  total: number;
}

/** The mean loss over the logging window, as transformers' Trainer reports it. */
export class LogWindow {
  private state: LogWindowState;

  constructor(state: LogWindowState = { sum: 0, lastLogged: 0, total: 0 }) {
    this.state = { ...state };
  }

  /** Adds the loss of one optimizer step. */
  add(loss: number): void {
    this.state.sum += loss;
  }

  /** `loss` for the log entry of `step` (from 1): the mean since the last entry; opens the next window. */
  close(step: number): number {
    const { sum, lastLogged, total } = this.state;
    this.state = { sum: 0, lastLogged: step, total: total + sum };
    return sum / (step - lastLogged);
  }

  /** `train_loss` of the run's last entry: the mean over all `steps`, including the open window. */
  trainLoss(steps: number): number {
    return (this.state.total + this.state.sum) / steps;
  }

  /** The state to store in a checkpoint; passed to the constructor, it resumes this window. */
  save(): LogWindowState {
    return { ...this.state };
  }
}
