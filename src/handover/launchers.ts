// References: accelerate 1.15, src/accelerate/commands/config/config_args.py and utils/fsdp_utils.py; Slurm, sbatch;
// SkyPilot, docs/source/reference/yaml-spec.rst.
import { type DecoderFamily, FAMILIES } from '../formats/decoder-config.ts';
import { writeYaml } from '../formats/yaml.ts';

const COMMON = {
  compute_environment: 'LOCAL_MACHINE',
  debug: false,
  machine_rank: 0,
  main_training_function: 'main',
  // train.py says which.
  mixed_precision: 'no',
  num_machines: 1,
  rdzv_backend: 'static',
  same_network: true,
  use_cpu: false,
} as const;

/** accelerate's configuration for one GPU. */
export const oneGpu = (): string => writeYaml({ ...COMMON, distributed_type: 'NO', num_processes: 1 });

/** And for several, each with the whole model. */
export const severalGpus = (processes: number): string =>
  writeYaml({ ...COMMON, distributed_type: 'MULTI_GPU', gpu_ids: 'all', num_processes: processes });

/** And for several that share one model, each holding a part of every layer's 4-bit weights. */
export const fsdpQlora = (processes: number, family: DecoderFamily): string =>
  writeYaml({
    ...COMMON,
    distributed_type: 'FSDP',
    num_processes: processes,
    fsdp_config: {
      fsdp_version: 2,
      fsdp_auto_wrap_policy: 'TRANSFORMER_BASED_WRAP',
      fsdp_transformer_layer_cls_to_wrap: FAMILIES[family].architecture.replace(
        'ForCausalLM',
        'DecoderLayer',
      ),
      fsdp_reshard_after_forward: true,
      fsdp_offload_params: false,
      // Weights in 4 bits are not sent from one process to the others: each reads them.
      fsdp_cpu_ram_efficient_loading: false,
      fsdp_state_dict_type: 'FULL_STATE_DICT',
      fsdp_activation_checkpointing: false,
    },
  });

/** The configuration that the cluster's files start with. */
export const launchConfig = (processes: number): string =>
  processes > 1 ? 'accelerate/ddp.yaml' : 'accelerate/one-gpu.yaml';

/** A batch script for Slurm; what follows its name goes to train.py. */
export const slurmScript = (processes: number): string => `#!/usr/bin/env bash
#SBATCH --job-name=retune
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=${processes}
#SBATCH --cpus-per-task=${4 * processes}
#SBATCH --time=24:00:00
#SBATCH --output=slurm-%j.log
# Add the partition and the account that your cluster asks for.
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
if [ ! -d .venv ]; then
  python3 -m venv .venv
  .venv/bin/pip install -r requirements.txt
fi
srun .venv/bin/accelerate launch --config_file ${launchConfig(processes)} train.py "$@"
`;

/** A task for SkyPilot. */
export const skypilotTask = (processes: number): string =>
  writeYaml({
    name: 'retune',
    workdir: '.',
    resources: { accelerators: { L4: processes, A10G: processes, A100: processes, H100: processes } },
    setup: 'pip install -r requirements.txt\n',
    run: `accelerate launch --config_file ${launchConfig(processes)} train.py\n`,
  });
