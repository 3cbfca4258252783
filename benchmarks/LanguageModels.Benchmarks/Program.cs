using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using FedKSeed.LanguageModels.Benchmarks;

// dotnet run -c Release --project benchmarks/LanguageModels.Benchmarks -- --filter '*'
// dotnet run -c Release --project benchmarks/LanguageModels.Benchmarks -- size MILLIONS [float32|bfloat16|float16] [THREADS]
if (args is ["size", ..])
    return ModelOfSize.Measure(args[1..]);

// In this process: a build of its own for every run would take longer than the measurements.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(StepBenchmarks).Assembly).Run(args, config);
return 0;
