using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using FedKSeed.LanguageModels.Benchmarks;

// dotnet run -c Release --project benchmarks/LanguageModels.Benchmarks -- --filter '*'
// dotnet run -c Release --project benchmarks/LanguageModels.Benchmarks -- size MILLIONS [float32|bfloat16|float16] [THREADS]
// dotnet run -c Release --project benchmarks/LanguageModels.Benchmarks -- parts [THREADS]
switch (args)
{
    case ["parts", .. var threads]:
        return PartsOfModel.Measure(threads);
    case ["size", var millions]:
        return ModelOfSize.WriteAndMeasure(millions);
    case ["size", var millions, var type]:
        return ModelOfSize.WriteAndMeasure(millions, type);
    case ["size", var millions, var type, var threads]:
        return ModelOfSize.WriteAndMeasure(millions, type, threads);
    case ["measure", var folder, var type, var threads]:
        return ModelOfSize.Measure(folder, type, threads);
}

// In this process: a build of its own for every run would take longer than the measurements.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(StepBenchmarks).Assembly).Run(args, config);
return 0;
