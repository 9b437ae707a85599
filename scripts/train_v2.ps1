# Trains V2 in a project laid out like the recipe's (models, data, configs). Options are passed on to "retune finetune":
#   .\scripts\train_v2.ps1
#   .\scripts\train_v2.ps1 --source-model .\models\fine_tuned_v2

$node = (Get-Command node -ErrorAction SilentlyContinue).Source
if (-not $node -and (Test-Path "$env:ProgramFiles\nodejs\node.exe")) {
    $node = "$env:ProgramFiles\nodejs\node.exe"
}
if (-not $node) {
    Write-Host 'Node.js was not found. Install version 20.19, 22.13, 24 or newer from https://nodejs.org, or with: winget install OpenJS.NodeJS.LTS'
    exit 2
}

# Retune beside this script, as in its checkout or its package, otherwise the installed one.
$root = Split-Path $PSScriptRoot -Parent
$places = @("$root\src\cli\launch.mjs", "$root\dist\cli\retune.js")
$npm = Join-Path (Split-Path $node -Parent) 'npm.cmd'
if (Test-Path $npm) {
    $places += Join-Path (& $npm root -g) 'retune\dist\cli\retune.js'
}
$retune = $places | Where-Object { Test-Path $_ } | Select-Object -First 1
if (-not $retune) {
    Write-Host 'Retune was not found. Install its package with: npm install -g .\retune-0.1.0.tgz'
    exit 2
}

# The project is the current folder, or the one whose scripts folder this is in.
if (-not (Test-Path 'models') -and (Test-Path "$root\models")) {
    Set-Location $root
}
& $node $retune finetune @args
exit $LASTEXITCODE
