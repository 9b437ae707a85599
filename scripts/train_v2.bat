@echo off
rem Trains V2 in a project laid out like the recipe's (models, data, configs). Options are passed on to "retune finetune":
rem   scripts\train_v2.bat
rem   scripts\train_v2.bat --source-model models\fine_tuned_v2
setlocal

set "NODE="
for %%N in (node.exe) do set "NODE=%%~$PATH:N"
if not defined NODE if exist "%ProgramFiles%\nodejs\node.exe" set "NODE=%ProgramFiles%\nodejs\node.exe"
if not defined NODE (
  echo Node.js was not found. Install version 20.19, 22.13, 24 or newer from https://nodejs.org, or with: winget install OpenJS.NodeJS.LTS
  exit /b 2
)

rem Retune beside this script, as in its checkout or its package, otherwise the installed one.
set "ROOT=%~dp0.."
set "RETUNE="
if exist "%ROOT%\src\cli\launch.mjs" set "RETUNE=%ROOT%\src\cli\launch.mjs"
if not defined RETUNE if exist "%ROOT%\dist\cli\retune.js" set "RETUNE=%ROOT%\dist\cli\retune.js"
if not defined RETUNE for /f "delims=" %%R in ('npm root -g 2^>nul') do if exist "%%R\retune\dist\cli\retune.js" set "RETUNE=%%R\retune\dist\cli\retune.js"
if not defined RETUNE (
  echo Retune was not found. Install its package with: npm install -g .\retune-0.1.0.tgz
  exit /b 2
)

rem The project is the current folder, or the one whose scripts folder this is in.
if not exist "models" if exist "%ROOT%\models" cd /d "%ROOT%"
"%NODE%" "%RETUNE%" finetune %*
exit /b %ERRORLEVEL%
