"""Golden values of the Trainer's rules: learning rates by schedule, and when it logs, evaluates, saves and rotates.

Usage: python make_trainer_rules.py OUT.json   (pip install transformers; made with 5.24; no torch)

The rules run as transformers has them: DefaultFlowCallback, EarlyStoppingCallback, TrainerState and rotate_checkpoints are imported, the
schedules' factors and four methods of Trainer are taken from its source by name, since importing them takes torch.
"""
import ast, json, math, os, sys, tempfile
from functools import partial
from types import SimpleNamespace
import transformers
from transformers.trainer_callback import DefaultFlowCallback, EarlyStoppingCallback, TrainerControl, TrainerState
from transformers.trainer_utils import IntervalStrategy, SaveStrategy, rotate_checkpoints, sort_checkpoints
import numpy as np

ROOT = os.path.dirname(transformers.__file__)


def source(file, names, scope):
    """The functions of a file by these names, in any class, run in `scope`."""
    tree = ast.parse(open(os.path.join(ROOT, file)).read())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.decorator_list, node.returns = [], None
            for arg in [*node.args.args, *node.args.kwonlyargs]:
                arg.annotation = None
            exec(compile(ast.Module([node], []), file, "exec"), scope)
    return scope


RATES = {
    "cosine": "_get_cosine_schedule_with_warmup_lr_lambda",
    "cosine_with_min_lr": "_get_cosine_schedule_with_warmup_lr_lambda",
    "cosine_with_restarts": "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda",
    "polynomial": "_get_polynomial_decay_schedule_with_warmup_lr_lambda",
    "inverse_sqrt": "_get_inverse_sqrt_schedule_lr_lambda",
    "linear": "_get_linear_schedule_with_warmup_lr_lambda",
    "constant_with_warmup": "_get_constant_schedule_with_warmup_lr_lambda",
}
FACTORS = source("optimization.py", set(RATES.values()), {"math": math})


def schedule(kind, total, warmup, lr, **options):
    kwargs = dict(options)
    if kind in ("cosine", "cosine_with_min_lr"):
        kwargs.setdefault("num_cycles", 0.5)
    if kind == "cosine_with_restarts":
        kwargs.setdefault("num_cycles", 1)
    if "min_lr" in kwargs:
        kwargs["min_lr_rate"] = kwargs.pop("min_lr") / lr
    if kind == "polynomial":
        kwargs = {"lr_end": 1e-7, "power": 1.0, **kwargs, "lr_init": lr}
    if kind == "inverse_sqrt":
        kwargs.setdefault("timescale", warmup or 10_000)
    if kind not in ("inverse_sqrt", "constant_with_warmup"):
        kwargs["num_training_steps"] = total
    factor = partial(FACTORS[RATES[kind]], num_warmup_steps=warmup, **kwargs)
    return dict(type=kind, maxSteps=total, warmupSteps=warmup, learningRate=lr, options=options, rates=[lr * factor(k) for k in range(total)])


class Trainer:
    """What the four methods need around them."""

    hp_search_backend = None

    def __init__(self, args, per_epoch, losses, folder):
        self.args, self.losses, self.folder, self.saves, self.evaluations, self.logs, self.counters = args, losses, folder, [], [], [], []
        self.callback_handler = SimpleNamespace(on_save=self.saved, callbacks=[])
        self.control, self.state = TrainerControl(), TrainerState()
        self._globalstep_last_logged, self._total_loss_scalar = 0, 0.0
        args.parallel_mode = None
        epochs, steps_per_epoch, _, samples, _, _, max_steps = self.set_initial_training_values(args, list(range(per_epoch)))
        self.state.max_steps, self.state.num_train_epochs, self.samples = max_steps, epochs, samples
        self.state.compute_steps(args, max_steps)
        self.steps_per_epoch = steps_per_epoch
        patience, threshold = getattr(args, "early_stopping_patience", None), getattr(args, "early_stopping_threshold", 0.0)
        self.early = EarlyStoppingCallback(patience, threshold) if patience is not None else None

    def saved(self, args, state, control):
        control.should_save = False
        return control

    def get_total_train_batch_size(self, args):
        return args.per_device_train_batch_size * args.gradient_accumulation_steps

    def get_sp_size(self):
        return 1

    def num_examples(self, dataloader):
        return len(dataloader) * self.args.per_device_train_batch_size

    def _evaluate(self, trial, ignore):
        self.control.should_evaluate = False
        self.evaluations.append(self.state.global_step)
        metrics = {"eval_loss": self.losses[(len(self.evaluations) - 1) % len(self.losses)]}
        if self.early:
            self.early.on_evaluate(self.args, self.state, self.control, metrics)
            self.counters.append(self.early.early_stopping_patience_counter)
        return metrics

    def _get_output_dir(self, trial):
        return self.folder

    def save_model(self, folder, _internal_call):
        os.mkdir(folder)

    def store_flos(self):
        pass

    def log(self, logs, start):
        self.control.should_log = False
        self.logs.append(self.state.global_step)

    def run(self):
        flow, state, per = DefaultFlowCallback(), self.state, self.steps_per_epoch
        while True:
            state.global_step += 1
            state.epoch = state.global_step / per
            self.control = flow.on_step_end(self.args, state, self.control)
            self.after()
            if self.control.should_training_stop or state.global_step % per == 0:
                self.control = flow.on_epoch_end(self.args, state, self.control)
                self.after()
            if self.control.should_training_stop:
                return self.result()

    def after(self):
        saving = self.control.should_save
        self._maybe_log_save_evaluate(Zero(), None, None, None, 0, None, 0, learning_rate=0.0)
        if saving:
            left = sorted(int(name.split("-")[1]) for name in os.listdir(self.folder))
            self.saves.append(dict(step=self.state.global_step, left=left, best=self.best()))

    def best(self):
        s = self.state
        checkpoint = s.best_model_checkpoint and os.path.basename(s.best_model_checkpoint)
        return dict(best_metric=s.best_metric, best_global_step=s.best_global_step, best_model_checkpoint=checkpoint)

    def result(self):
        s = self.state
        # As Trainer._finalize_training does.
        left = sort_checkpoints(output_dir=self.folder, best_model_checkpoint=s.best_model_checkpoint)
        if s.best_model_checkpoint is not None and self.args.save_total_limit == 1:
            left = [c for c in left if c == s.best_model_checkpoint]
        return dict(maxSteps=s.max_steps, epochs=s.num_train_epochs, steps=[s.logging_steps, s.eval_steps, s.save_steps], logs=self.logs,
            evaluations=self.evaluations, counters=self.counters, saves=self.saves, best=self.best(), samples=self.samples,
            left=sorted(int(os.path.basename(c).split("-")[1]) for c in left))


class Zero:
    def mean(self):
        return self

    def item(self):
        return 0.0

    def __sub__(self, _):
        return self


def rotate(output_dir, save_total_limit, best_model_checkpoint, use_mtime):
    # Folders made within a second have no order in time, where rotate_checkpoints goes by their numbers too.
    rotate_checkpoints(output_dir, save_total_limit, best_model_checkpoint)


METHODS = {"set_initial_training_values", "_maybe_log_save_evaluate", "_save_checkpoint", "_determine_best_metric"}
FALSE = lambda: False
SCOPE = source("trainer.py", METHODS, dict(math=math, os=os, np=np, has_length=lambda d: True, is_torch_xla_available=FALSE, is_sagemaker_mp_enabled=FALSE,
    nested_gather=lambda x, mode: x, SaveStrategy=SaveStrategy, ParallelMode=SimpleNamespace(DISTRIBUTED=1), PREFIX_CHECKPOINT_DIR="checkpoint",
    TRAINER_STATE_NAME="trainer_state.json", ExportableState=str, rotate_checkpoints=rotate))
for name in METHODS:
    setattr(Trainer, name, SCOPE[name])


def run(rows, batch, accumulation, losses=(1.0,), **settings):
    args = dict(per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, num_train_epochs=1.0, max_steps=-1, logging_strategy="steps",
        logging_steps=500, logging_first_step=False, eval_strategy="steps", eval_steps=500, save_strategy="steps", save_steps=500, save_total_limit=None,
        metric_for_best_model=None, greater_is_better=None, load_best_model_at_end=False)
    args.update(settings)
    # As TrainingArguments.__post_init__ does.
    if args["load_best_model_at_end"] and args["metric_for_best_model"] is None:
        args["metric_for_best_model"] = "loss"
    if args["greater_is_better"] is None and args["metric_for_best_model"] is not None:
        args["greater_is_better"] = not args["metric_for_best_model"].endswith("loss")
    if args.get("early_stopping_patience") is not None:
        # The callback asks for it.
        args["metric_for_best_model"] = args["metric_for_best_model"] or "loss"
        args["greater_is_better"] = args["greater_is_better"] or False
    fixed = dict(eval_delay=0, save_only_model=True, should_save=True, push_to_hub=False)
    space = SimpleNamespace(**{**args, **fixed, "logging_strategy": IntervalStrategy(args["logging_strategy"]),
        "eval_strategy": IntervalStrategy(args["eval_strategy"]), "save_strategy": SaveStrategy(args["save_strategy"])})
    with tempfile.TemporaryDirectory() as folder:
        result = Trainer(space, math.ceil(rows / batch), losses, folder).run()
    return dict(grouping=dict(rows=rows, batch=batch, accumulation=accumulation), settings=settings, losses=list(losses), **result)


schedules = [schedule(*a, **o) for a, o in [
    (("cosine", 12, 3, 2e-4), dict(num_cycles=1.5)), (("cosine", 7, 0, 1e-3), {}), (("cosine_with_min_lr", 11, 2, 2e-4), dict(min_lr_rate=0.1)),
    (("cosine_with_min_lr", 9, 0, 3e-4), dict(min_lr=4e-5, num_cycles=1.0)), (("cosine_with_restarts", 13, 3, 1e-4), dict(num_cycles=3)),
    (("cosine_with_restarts", 5, 1, 1e-4), {}), (("polynomial", 10, 2, 5e-5), {}), (("polynomial", 9, 0, 5e-5), dict(power=2.0, lr_end=1e-6)),
    (("inverse_sqrt", 12, 4, 1e-3), {}), (("inverse_sqrt", 6, 0, 1e-3), {}), (("inverse_sqrt", 6, 2, 1e-3), dict(timescale=50)),
    (("linear", 9, 2, 1e-3), {}), (("constant_with_warmup", 6, 3, 1e-3), {})]]
falling, valley = [5, 4, 3, 2, 1], [5, 3, 2, 2.5, 4, 1.9, 6, 7, 8, 9]
best = dict(load_best_model_at_end=True)
runs = [
    run(10, 1, 2, num_train_epochs=2.0, logging_steps=3, eval_steps=4, save_steps=4),
    run(11, 2, 3, num_train_epochs=2.6, logging_strategy="epoch", eval_strategy="epoch", save_strategy="epoch"),
    run(10, 1, 2, max_steps=7, logging_steps=0.2, eval_steps=0.3, save_steps=0.3, logging_first_step=True),
    run(10, 1, 2, max_steps=13, num_train_epochs=1.0, logging_strategy="no", eval_strategy="no", save_strategy="no"),
    run(10, 1, 2, max_steps=7, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1),
    run(20, 1, 2, falling, eval_steps=2, save_steps=2, save_total_limit=2, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=2, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=1, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=3, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=0, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=3, save_total_limit=2, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=4, save_total_limit=1, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=2, greater_is_better=True, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=2, metric_for_best_model="eval_loss"),
    run(20, 1, 2, valley, eval_steps=1, save_strategy="no", metric_for_best_model="loss"),
    run(20, 1, 2, valley, num_train_epochs=4.0, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, **best),
    run(20, 1, 2, [3, 3, 3], eval_steps=3, save_steps=3, save_total_limit=1, **best),
    run(20, 1, 2, valley, eval_steps=0.1, save_steps=0.2, save_total_limit=2, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, save_total_limit=2, early_stopping_patience=2, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=4, save_total_limit=1, early_stopping_patience=1),
    run(20, 1, 2, valley, eval_steps=1, save_steps=1, early_stopping_patience=3, early_stopping_threshold=0.6, **best),
    run(20, 1, 2, valley, eval_steps=1, save_steps=2, early_stopping_patience=1, early_stopping_threshold=1.0, **best),
    run(20, 1, 2, valley, eval_steps=1, save_strategy="epoch", logging_strategy="epoch", early_stopping_patience=2),
    run(20, 1, 2, valley, eval_steps=1, save_steps=3, early_stopping_patience=2, metric_for_best_model="loss", greater_is_better=True),
    run(20, 1, 2, falling, num_train_epochs=3.0, eval_strategy="epoch", save_strategy="epoch", early_stopping_patience=1, early_stopping_threshold=1.0, **best),
    run(20, 1, 2, falling, eval_steps=2, save_steps=2, early_stopping_patience=1, **best),
]
json.dump(dict(schedules=schedules, runs=runs), open(sys.argv[1], "w"), separators=(",", ":"))
