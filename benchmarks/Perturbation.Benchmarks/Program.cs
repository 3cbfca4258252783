using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using FedKSeed.Perturbation.Benchmarks;

// dotnet run -c Release --project benchmarks/Perturbation.Benchmarks -- --filter '*'
// In this process: a build of its own for every run would take longer than the measurements.
IConfig config = DefaultConfig.Instance
    .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
    .AddColumn(new ThroughputColumn(benchmark => benchmark.Descriptor.Type == typeof(RebuildBenchmarks) ? RebuildBenchmarks.Seeds : 1));
BenchmarkSwitcher.FromAssembly(typeof(RebuildBenchmarks).Assembly).Run(args, config);
